package scenario

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

func TestAnOutcomeCountsOnlyWhatTheClientDidAfterTheFault(t *testing.T) {
	fault := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return fault.Add(time.Duration(seconds) * time.Second) }
	does := func(seconds int, who string, what event.What) event.Event {
		return event.Event{Time: at(seconds), Who: who, What: what}
	}
	learns := func(seconds, written int) event.Event {
		return event.Event{Time: at(seconds), Who: "me", What: event.Committed, RenewTime: at(written)}
	}
	known := func(seconds int) Figure { return Figure{Value: time.Duration(seconds) * time.Second, Known: true} }
	for name, c := range map[string]struct {
		kind     string
		events   []event.Event
		want     Outcome
		failures int
	}{
		"nothing":                        {kind: KindWriter},
		"a write begun before the fault": {kind: KindWriter, events: []event.Event{learns(-1, -1), learns(1, -1)}},
		"news from after the fault": {
			kind: KindInformer, events: []event.Event{learns(-1, -2), learns(3, 1), learns(4, 2)}, want: Outcome{Recovered: known(3)},
		},
		"another's news": {
			kind: KindInformer, events: []event.Event{{Time: at(3), Who: "other", What: event.Committed, RenewTime: at(1)}},
		},
		"a standby leads": {
			kind: KindStandby, events: []event.Event{learns(2, 1), does(5, "me", event.Leading)}, want: Outcome{Recovered: known(5)},
		},
		"its kernel gave up twice": {
			kind: KindWriter, events: []event.Event{does(2, "me", gaveUp), does(3, "me", gaveUp)}, want: Outcome{GaveUp: known(2)},
		},
		"its kernel was seen to give up after it was back": {
			kind: KindWriter, events: []event.Event{learns(2, 1), does(3, "me", gaveUp)}, want: Outcome{Recovered: known(2), GaveUp: known(3)},
		},
		"failures before the fault, in between and when it was back": {
			kind: KindWriter, failures: 2, want: Outcome{Recovered: known(3)},
			events: []event.Event{
				does(-1, "me", event.Failed), does(1, "me", event.Abandoned), does(2, "me", event.Failed),
				does(2, "other", event.Failed), learns(3, 2), does(4, "me", event.Failed),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := outcome(c.events, "me", c.kind, fault)
			assert.Len(t, got.Failures, c.failures)
			got.Failures = nil
			assert.Equal(t, c.want, got)
		})
	}
}

func TestAnIncidentThatCannotBePlayedIsNamedWithItsValue(t *testing.T) {
	good := IncidentOptions{Timing: Short, Retries2: 5, Within: time.Second, Window: time.Second, Await: Clients()}
	require.NoError(t, good.validate())
	for says, change := range map[string]func(*IncidentOptions){
		"lease duration 0s": func(o *IncidentOptions) { o.Timing.LeaseDuration = 0 },
		"bound 0s":          func(o *IncidentOptions) { o.Within = 0 },
		"window -1s":        func(o *IncidentOptions) { o.Window = -time.Second },
		"nobody's":          func(o *IncidentOptions) { o.Await = nil },
		"holdfast-nobody":   func(o *IncidentOptions) { o.Await = []Client{{Kind: "nobody", Peer: Hardened}} },
	} {
		o := good
		change(&o)
		assert.ErrorContains(t, o.validate(), says)
	}
}

func TestAProbeSaysWhatEndedWithoutAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		round, read error
		want        []string
	}{
		"answered":              {read: io.EOF},
		"cancelled by itself":   {read: context.Canceled},
		"no answer":             {round: unix.ETIMEDOUT, want: []string{"GET connection timed out"}},
		"a stream that was cut": {read: unix.ETIMEDOUT, want: []string{"GET connection timed out"}},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			f := &failures{base: ending{c.round, c.read}, say: func(e event.Event) {
				assert.Equal(t, event.Failed, e.What)
				said = append(said, e.Verb+" "+e.Reason)
			}}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api/", nil)
			require.NoError(t, err)
			answer, err := f.RoundTrip(request)
			require.ErrorIs(t, err, c.round)
			if err == nil {
				_, err = answer.Body.Read(make([]byte, 10))
				require.NoError(t, err, "what came is passed on")
				_, err = answer.Body.Read(make([]byte, 10))
				require.ErrorIs(t, err, c.read)
			}
			assert.Equal(t, c.want, said)
		})
	}
}

// ending is a round tripper whose requests, or the bodies of whose answers, end
// with an error.
type ending struct{ round, read error }

func (e ending) RoundTrip(*http.Request) (*http.Response, error) {
	if e.round != nil {
		return nil, e.round
	}
	return &http.Response{Body: io.NopCloser(io.MultiReader(strings.NewReader("news"), broken{e.read}))}, nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
