package contender

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/dialer"
)

func good() Options {
	return Options{
		Peer: "holdfast", Identity: "contender-1", Namespace: "election", Lease: "kill-1", Kubeconfig: "some/file",
		Timing: Timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 500 * time.Millisecond},
	}
}

func TestArgsAreReadAsTheOptionsTheyCameFrom(t *testing.T) {
	full := good()
	full.Etcd = "http://198.18.0.2:2379"
	full.Mode, full.ReleaseOnCancel, full.ContendAgain, full.WorkStop = dialer.NewConnections, true, true, time.Second
	for name, o := range map[string]Options{"few": good(), "all": full} {
		t.Run(name, func(t *testing.T) {
			read, err := Parse(o.Args(), io.Discard)
			require.NoError(t, err)
			assert.Equal(t, o, read)
		})
	}
	_, err := Parse([]string{"-h"}, io.Discard)
	assert.ErrorIs(t, err, flag.ErrHelp)
}

func TestAnOptionThatCannotBeUsedIsNamedWithItsValue(t *testing.T) {
	for says, change := range map[string]func(*Options){
		`-peer "consul"`:        func(o *Options) { o.Peer = "consul" },
		"-etcd":                 func(o *Options) { o.Peer = "etcd" },
		"-identity":             func(o *Options) { o.Identity = "" },
		"-lease":                func(o *Options) { o.Lease = "" },
		"-namespace":            func(o *Options) { o.Namespace = "" },
		"-kubeconfig":           func(o *Options) { o.Kubeconfig = "" },
		"-work-stop -1s":        func(o *Options) { o.WorkStop = -time.Second },
		"-mode new-connections": func(o *Options) { o.Peer, o.Mode = "client-go", dialer.NewConnections },
	} {
		o := good()
		change(&o)
		_, err := Parse(o.Args(), io.Discard)
		assert.ErrorContains(t, err, says)
	}
	_, err := Parse(append(good().Args(), "more"), io.Discard)
	assert.ErrorContains(t, err, `"more"`)
}

// contendWith runs a contender whose peer is contend, in simulated time, and
// returns what it said with the time since the start.
func contendWith(t *testing.T, ctx context.Context, o Options, contend func(ctx context.Context, leading func(context.Context), stopped func(string)) error) (code int, said []string, err error) {
	t.Helper()
	peers["test"] = peer{contend: func(ctx context.Context, _ Options, _ *rest.Config, leading func(context.Context), stopped func(string)) error {
		return contend(ctx, leading, stopped)
	}}
	defer delete(peers, "test")
	o.Peer = "test"
	begun := time.Now()
	var stream bytes.Buffer
	code, err = run(ctx, o, &rest.Config{}, event.NewWriter(&stream))
	events, readErr := event.Read(&stream)
	require.NoError(t, readErr)
	for _, e := range events {
		assert.Equal(t, o.Identity, e.Who)
		said = append(said, string(e.What)+" "+e.Time.Sub(begun).String())
	}
	return code, said, err
}

// leadFor is an elector that leads at once and loses its lease after d, and
// does not wait for the work.
func leadFor(d time.Duration) func(context.Context, func(context.Context), func(string)) error {
	return func(ctx context.Context, leading func(context.Context), stopped func(string)) error {
		work, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		go leading(work)
		<-work.Done()
		stopped("lost it")
		return nil
	}
}

func TestAContenderThatLosesItsLeaseExitsWhenTheWorkHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := good()
		o.WorkStop = 3 * time.Second
		code, said, err := contendWith(t, t.Context(), o, leadFor(10*time.Second))
		require.NoError(t, err)
		assert.Equal(t, ExitLost, code)
		assert.ElementsMatch(t, []string{"started 0s", "leading 0s", "stopping 10s", "lost 10s", "stopped 13s"}, said)
	})
}

func TestAContenderThatIsToldToStopHasLostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		code, said, err := contendWith(t, ctx, good(), leadFor(time.Hour))
		require.NoError(t, err)
		assert.Equal(t, ExitOK, code)
		assert.Equal(t, []string{"started 0s", "leading 0s", "stopping 5s", "stopped 5s"}, said)
	})
}

func TestAContenderMayContendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		o := good()
		o.ContendAgain = true
		code, said, err := contendWith(t, ctx, o, leadFor(10*time.Second))
		require.NoError(t, err)
		assert.Equal(t, ExitOK, code)
		assert.ElementsMatch(t, []string{
			"started 0s", "leading 0s", "stopping 10s", "lost 10s", "stopped 10s",
			"started 10s", "leading 10s", "stopping 15s", "stopped 15s",
		}, said)
	})
}

func TestAnElectorThatCannotBeginIsAnError(t *testing.T) {
	refused := errors.New("LeaseDuration = 0s")
	code, _, err := contendWith(t, t.Context(), good(), func(context.Context, func(context.Context), func(string)) error { return refused })
	assert.Equal(t, ExitSetup, code)
	assert.ErrorIs(t, err, refused)

	code, _, err = contendWith(t, t.Context(), good(), func(_ context.Context, _ func(context.Context), stopped func(string)) error {
		stopped("")
		return nil
	})
	assert.Equal(t, ExitSetup, code)
	assert.ErrorContains(t, err, "had not led")
}

func TestAContenderWhoseEventsCannotBeWrittenFails(t *testing.T) {
	broken := errors.New("pipe is closed")
	code, err := run(t.Context(), good(), &rest.Config{Host: "http://127.0.0.1:1"}, event.NewWriter(failing{broken}))
	assert.Equal(t, ExitSetup, code)
	assert.ErrorIs(t, err, broken)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestEveryRequestAndFailureIsSaid(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	var log event.Log
	original := &rest.Config{Host: server.URL}
	client, err := rest.HTTPClientFor(counted(original, voice{who: "contender-1", out: event.NewWriter(log.Lines("contender-1")), broken: func(err error) { t.Error(err) }}))
	require.NoError(t, err)
	assert.Nil(t, original.WrapTransport, "the caller's config is left alone")

	answer, err := client.Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	client.CloseIdleConnections()
	server.Close()
	_, err = client.Get(server.URL)
	require.Error(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = client.Do(request)
	require.ErrorIs(t, err, context.Canceled)

	var said []event.What
	for _, e := range log.Events() {
		said = append(said, e.What)
		if e.What == event.Connected {
			assert.Equal(t, strings.TrimPrefix(server.URL, "http://"), e.On)
			continue
		}
		assert.Equal(t, "GET", e.Verb)
	}
	assert.Equal(t, []event.What{event.Requested, event.Connected, event.Requested, event.Failed, event.Requested, event.Abandoned}, said)
}
