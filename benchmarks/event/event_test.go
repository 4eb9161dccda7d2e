package event_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

var start = time.Date(2026, 11, 23, 13, 0, 0, 123456789, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	code := 0
	written := []event.Event{
		{Time: at(0), Who: "contender-1", What: event.Leading},
		{Time: at(1), Who: "observer", What: event.Committed, Holder: "contender-1", RenewTime: at(0.9), Lease: 1500 * time.Millisecond},
		{Time: at(2), Who: "contender-1", What: event.Failed, Verb: "PUT", Took: time.Second, Reason: "deadline"},
		{Time: at(3), Who: "contender-1", What: event.Exited, Code: &code},
	}
	var stream bytes.Buffer
	w := event.NewWriter(&stream)
	for _, e := range written {
		require.NoError(t, w.Write(e))
	}
	assert.Equal(t, len(written), strings.Count(stream.String(), "\n"), "one line an event")
	assert.Contains(t, stream.String(), `"lease":"1.5s"`)

	read, err := event.Read(&stream)
	require.NoError(t, err)
	assert.Equal(t, written, read)
}

func TestALineThatIsNoEventIsNamed(t *testing.T) {
	good := `{"time":"2026-11-23T13:00:00Z","who":"a","what":"leading"}`
	for name, bad := range map[string]string{
		"no JSON":      `leading`,
		"no time":      `{"who":"a","what":"leading"}`,
		"no who":       `{"time":"2026-11-23T13:00:00Z","what":"leading"}`,
		"no what":      `{"time":"2026-11-23T13:00:00Z","who":"a"}`,
		"bad duration": `{"time":"2026-11-23T13:00:00Z","who":"a","what":"committed","lease":"15"}`,
	} {
		t.Run(name, func(t *testing.T) {
			read, err := event.Read(strings.NewReader(good + "\n\n" + bad + "\n"))
			require.ErrorContains(t, err, "line 3")
			assert.Len(t, read, 1, "the events before it are kept")
		})
	}
}

func TestMergedStreamsAreSortedByTime(t *testing.T) {
	merged := event.Merge(
		[]event.Event{{Time: at(1), Who: "a"}, {Time: at(3), Who: "a"}},
		[]event.Event{{Time: at(0), Who: "b"}, {Time: at(1), Who: "b"}},
	)
	var order []string
	for _, e := range merged {
		order = append(order, e.Who)
	}
	assert.Equal(t, []string{"b", "a", "b", "a"}, order, "events of one time keep their order")
}

func TestAStreamIsDividedIntoItsRuns(t *testing.T) {
	assert.Empty(t, event.Runs(nil))
	runs := event.Runs([]event.Event{
		{Who: "scenario", What: event.Began}, {Who: "a", What: event.Leading},
		{Who: "scenario", What: event.Began}, {Who: "b", What: event.Leading}, {Who: "b", What: event.Stopped},
	})
	require.Len(t, runs, 2)
	assert.Len(t, runs[0], 2)
	assert.Len(t, runs[1], 3)
	assert.Len(t, event.Runs([]event.Event{{What: event.Leading}, {What: event.Began}}), 2, "what comes before the first")
}

func TestALogTakesLinesAndKeepsWhatItCannotRead(t *testing.T) {
	var l event.Log
	lines := l.Lines("contender-1")
	for _, piece := range []string{`{"time":"2026-11-23T13:00:00Z","who":"contender-1",`, `"what":"leading"}` + "\npanic: oh\n", "\nhalf"} {
		n, err := lines.Write([]byte(piece))
		require.NoError(t, err)
		assert.Equal(t, len(piece), n)
	}
	events := l.Events()
	require.Len(t, events, 2)
	assert.Equal(t, event.Leading, events[0].What)
	assert.Equal(t, event.Unreadable, events[1].What)
	assert.Equal(t, "panic: oh", events[1].Reason)
}

func TestAwaitSeesWhatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l event.Log
		go func() {
			time.Sleep(time.Second)
			l.Append(event.Event{Who: "a", What: event.Started})
			time.Sleep(time.Second)
			l.Append(event.Event{Who: "a", What: event.Leading})
		}()
		begun := time.Now()
		err := l.Await(t.Context(), "a leader", func(events []event.Event) bool {
			return len(events) > 0 && events[len(events)-1].What == event.Leading
		})
		require.NoError(t, err)
		assert.Equal(t, 2*time.Second, time.Since(begun))
	})
}

func TestAwaitNamesWhatNeverCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l event.Log
		l.Append(event.Event{Who: "contender-1", What: event.Started})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := l.Await(ctx, "a leader", func([]event.Event) bool { return false })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "a leader")
		assert.ErrorContains(t, err, "within 3s")
		assert.ErrorContains(t, err, "contender-1 started")
	})
}

func TestTimelineFoldsRenewalsAndLeavesRequestsOut(t *testing.T) {
	committed := func(seconds float64, holder string) event.Event {
		return event.Event{Time: at(seconds), Who: "observer", What: event.Committed, Holder: holder, RenewTime: at(seconds), Lease: 3 * time.Second}
	}
	var out strings.Builder
	require.NoError(t, event.Timeline(&out, []event.Event{
		committed(-3, "a"), committed(-2, "a"), committed(-1, "a"), committed(-0.5, "a"),
		{Time: at(-0.2), Who: "a", What: event.Requested, Verb: "PUT"},
		{Time: at(0), Who: "scenario", What: event.Fault, On: "a", Reason: "killed"},
		committed(3, "b"),
	}, start))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4, out.String())
	assert.Contains(t, lines[0], "-3.000s")
	assert.Contains(t, lines[1], "2 more before it")
	assert.Contains(t, lines[2], "fault")
	assert.Contains(t, lines[2], "a killed")
	assert.Contains(t, lines[3], "holder b, lease ends at +6.000s")
}

func TestAWriterSaysWhichEventItCouldNotWrite(t *testing.T) {
	broken := errors.New("disk full")
	err := event.NewWriter(failing{broken}).Write(event.Event{Who: "a", What: event.Lost})
	require.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, `"lost"`)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestATimelineBeginsAtTheFirstFault(t *testing.T) {
	leading := event.Event{Time: at(-2), Who: "a", What: event.Leading}
	fault := event.Event{Time: at(0), Who: "scenario", What: event.Fault, On: "a"}
	another := event.Event{Time: at(1), Who: "scenario", What: event.Fault, On: "b"}
	assert.Equal(t, at(0), event.FaultTime([]event.Event{leading, fault, another}))
	assert.Equal(t, at(-2), event.FaultTime([]event.Event{leading}), "without a fault")
	assert.Zero(t, event.FaultTime(nil))
}
