package main

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheKubeletSaysWhereTheServerIs(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"[fd00::1]:443"}, o.to)
	assert.Equal(t, "127.0.0.1:6443", o.listen, "nobody outside of the Pod")
}

func TestWrongFlagsAreNamedWithTheirValue(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for args, want := range map[string][]string{
		"":                          {"-to", `""`},
		"-to=a":                     {"-to", "a"},
		"-to=a:1 -listen=b":         {"-listen", "b"},
		"-to=a:1 -address=80":       {"-address", "80"},
		"-to=a:1 -silence=0s":       {"-silence", "0s", "positive"},
		"-to=a:1 -hedge=-1s":        {"-hedge", "-1s"},
		"-to=a:1 -answer=-1s":       {"-answer", "-1s"},
		"-to=a:1 -connections=0":    {"-connections", "0"},
		"-to=a:1 -half-closed=soon": {"-half-closed", "soon"},
		"-to=a:1 serve":             {"serve"},
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		require.Error(t, err, args)
		for _, part := range want {
			assert.ErrorContains(t, err, part, args)
		}
	}
}

func TestHelpAndReadmeListEveryFlag(t *testing.T) {
	var help bytes.Buffer
	_, err := parse([]string{"-help"}, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for line := range strings.Lines(help.String()) {
		if name, isFlag := strings.CutPrefix(line, "  -"); isFlag {
			assert.Contains(t, string(readme), "`-"+strings.Fields(name)[0]+"`", "flag missing in README.md")
		}
	}
}

func TestWhenAConnectionMustEnd(t *testing.T) {
	now := time.Unix(1000, 0)
	l := limits{answer: 5 * time.Second, idle: time.Hour, halfClosed: time.Minute}
	for name, c := range map[string]struct {
		limits limits
		a      activity
		after  time.Duration
		why    reason
	}{
		"nothing is carried":                   {l, activity{last: now}, time.Hour, reasonIdle},
		"one side has finished":                {l, activity{last: now, half: true}, time.Minute, reasonHalfClosed},
		"an answer is due":                     {l, activity{last: now.Add(3 * time.Second), asked: now}, 5 * time.Second, reasonAnswer},
		"an answer is due, also half closed":   {l, activity{last: now, asked: now, half: true}, 5 * time.Second, reasonAnswer},
		"the server has finished":              {l, activity{last: now, asked: now, half: true, answered: true}, time.Minute, reasonHalfClosed},
		"it may take as long as it likes":      {limits{idle: time.Hour, halfClosed: time.Minute}, activity{last: now, asked: now}, time.Hour, reasonIdle},
		"half closed bounds no more than idle": {limits{idle: time.Second, halfClosed: time.Minute}, activity{last: now, half: true}, time.Second, reasonIdle},
	} {
		at, why := c.limits.due(c.a)
		assert.Equal(t, now.Add(c.after), at, name)
		assert.Equal(t, c.why, why, name)
	}
}

func TestWhatIsServed(t *testing.T) {
	counts := new(counts)
	counts.ended(reasonServer)
	counts.carried(true, 3)
	get := func(path string) string {
		answer := httptest.NewRecorder()
		handler(counts).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, answer.Code)
		return answer.Body.String()
	}
	assert.Equal(t, "ok\n", get("/healthz"))
	metrics := get("/metrics")
	for _, line := range []string{`relay_connections_ended_total{reason="server"} 1`, `relay_connections_ended_total{reason="drain"} 0`, `relay_bytes_total{to="server"} 3`, "relay_dials_total 0"} {
		assert.Contains(t, metrics, line)
	}
	assert.Equal(t, len(reasons), len(counts.ends))
	for line := range strings.Lines(metrics) { // each family is described before its samples
		if !strings.HasPrefix(line, "#") {
			name, _, _ := strings.Cut(strings.Fields(line)[0], "{")
			assert.Contains(t, metrics, "# TYPE "+name+" ")
		}
	}
}
