package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quietLive is a stage without contenders, whose board follows the journal.
func quietLive(t *testing.T) *live {
	t.Helper()
	l, err := openLive(pageTiming)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		l.board.follow(ctx, l.journal)
	}()
	t.Cleanup(func() {
		cancel()
		<-followed
		assert.NoError(t, l.close())
	})
	return l
}

// ask asks the handler, as a browser would with these headers.
func ask(l *live, method, path string, headers map[string]string) *http.Response {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, nil)
	for name, value := range headers {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	l.handler().ServeHTTP(w, r)
	return w.Result()
}

func TestOtherSitesCannotPressTheButtons(t *testing.T) {
	l := quietLive(t)
	for name, c := range map[string]struct {
		headers map[string]string
		want    int
	}{
		"another site":                  {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://example.org"}, http.StatusForbidden},
		"another port of this machine":  {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9"}, http.StatusForbidden},
		"an old browser, by its Origin": {map[string]string{"Origin": "https://example.org"}, http.StatusForbidden},
		"a name that was made to resolve to this machine": {
			map[string]string{"Sec-Fetch-Site": "same-origin", "Host": "rebound.example.org:8080"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, ask(l, "POST", "/endpoints/a/silence", c.headers).StatusCode)
			assert.ErrorIs(t, l.strikeEndpoint("a", "mend"), errNotAgain, "nothing was silenced")
		})
	}
	own := map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"}
	assert.Equal(t, http.StatusNoContent, ask(l, "POST", "/endpoints/a/silence", own).StatusCode, "the page itself")
	assert.Equal(t, http.StatusNotFound, ask(l, "GET", "/endpoints/a/mend", nil).StatusCode, "a link presses nothing")
	assert.NoError(t, l.strikeEndpoint("a", "mend"), "it is still silent")
	assert.Equal(t, http.StatusForbidden, ask(l, "GET", "/states", map[string]string{"Host": "rebound.example.org"}).StatusCode, "nor reads it")
}

func TestThePageIsWholeAndClosed(t *testing.T) {
	l := quietLive(t)
	for path, kind := range map[string]string{
		"/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript",
		"/map.js": "text/javascript", "/timeline.js": "text/javascript", "/svg.js": "text/javascript",
	} {
		answer := ask(l, "GET", path, nil)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, answer.StatusCode, path)
		assert.Contains(t, answer.Header.Get("Content-Type"), kind, path)
		assert.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'", path)
		assert.Contains(t, answer.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		assert.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"), path)
		elsewhere := strings.ReplaceAll(string(body), "http://www.w3.org/2000/svg", "")
		assert.NotContains(t, elsewhere, "//cdn", path)
		assert.NotRegexp(t, `https?://`, elsewhere, "%s refers to nothing elsewhere", path)
	}
}

func TestButtonsThatCannotBePressedSayWhy(t *testing.T) {
	l := quietLive(t)
	for _, c := range []struct {
		path string
		code int
		says string
	}{
		{"/endpoints/a/mend", http.StatusConflict, `mend endpoint "a"`},
		{"/endpoints/a/freeze", http.StatusNoContent, ""},
		{"/endpoints/a/silence", http.StatusConflict, `silence endpoint "a"`},
		{"/endpoints/a/mend", http.StatusNoContent, ""},
		{"/endpoints/d/silence", http.StatusNotFound, `"d"`},
		{"/endpoints/a/explode", http.StatusNotFound, "silence, freeze or mend"},
		{"/contenders/holdfast/one/kill", http.StatusConflict, `kill holdfast "one"`},
		{"/contenders/holdfast/one/mend", http.StatusConflict, `mend holdfast "one"`},
		{"/contenders/holdfast/one/cut", http.StatusNoContent, ""},
		{"/contenders/holdfast/three/cut", http.StatusConflict, `cut holdfast "three"`},
		{"/contenders/holdfast/four/cut", http.StatusNotFound, `"four"`},
		{"/contenders/nobody/one/cut", http.StatusNotFound, `"nobody"`},
		{"/address/slow", http.StatusNoContent, ""},
		{"/address/slow", http.StatusConflict, "make the address slow"},
		{"/address/lost", http.StatusNotFound, "slow or prompt"},
		{"/everything/incident", http.StatusConflict, "each fleet must have a leader"},
		{"/everything/mend", http.StatusNoContent, ""},
		{"/everything/mend", http.StatusConflict, "nothing is broken"},
		{"/everything/rollout", http.StatusConflict, `holdfast "one" must stand by or lead`},
		{"/everything/explode", http.StatusNotFound, "incident, rollout or mend"},
		{"/contenders/holdfast/one/explode", http.StatusNotFound, "kill, cut, mend or prefer"},
	} {
		answer := ask(l, "POST", c.path, nil)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		assert.Equal(t, c.code, answer.StatusCode, c.path)
		assert.Contains(t, string(body), c.says, c.path)
	}
}

func TestStatesAreSentAsTheyChange(t *testing.T) {
	l := quietLive(t)
	server := httptest.NewServer(l.handler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/states", nil)
	require.NoError(t, err)
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))

	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	next := func() view {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var v view
				require.NoError(t, json.Unmarshal([]byte(data), &v))
				return v
			}
		}
		require.FailNow(t, "the stream ended", "%v", lines.Err())
		return view{}
	}
	first := next()
	assert.Empty(t, first.Endpoints[1].Fault)
	assert.Len(t, first.Fleets, 2)
	require.NoError(t, l.strikeEndpoint("b", "silence"))
	v := next()
	for v.Endpoints[1].Fault == "" {
		v = next() // one may have been under way
	}
	assert.Equal(t, faultSilent, v.Endpoints[1].Fault)
	assert.Greater(t, next().Now, v.Now, "without a change there is a heartbeat")
}

func TestThePageIsForThisMachineOnly(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", ":8080": "127.0.0.1:8080", "[::1]:0": "[::1]:0", "localhost:80": "localhost:80",
	} {
		got, err := loopback(address)
		assert.NoError(t, err, address)
		assert.Equal(t, want, got)
	}
	for _, address := range []string{"0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "example.org:80"} {
		_, err := loopback(address)
		assert.ErrorContains(t, err, address)
		assert.ErrorContains(t, err, "loopback")
	}
	_, err := loopback("8080")
	assert.ErrorContains(t, err, "host:port")
}

func TestThePageHasDurationsOfItsOwnUnlessGiven(t *testing.T) {
	o, _, err := parse([]string{"-page", ":0", "-lease", "6s"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, timing{6 * time.Second, pageTiming.renew, pageTiming.retry}, o.timing)
	assert.Equal(t, "127.0.0.1:0", o.page)
	_, _, err = parse([]string{"-page", ":0", "-scenario", "kill"}, io.Discard)
	assert.ErrorContains(t, err, "-scenario")
}

func TestThePageIsServedUntilInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	o := short()
	o.page = "127.0.0.1:0"
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serve(ctx, o, writer)
		_ = writer.Close()
		ended <- err
	}()
	out := bufio.NewReader(reader)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	_, rest, _ := strings.Cut(line, "Open ")
	url, _, _ := strings.Cut(rest, " ")
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	answer, err := client.Get(url + "states")
	require.NoError(t, err, "the first line says where: %q", line)
	interrupt()
	_, err = io.Copy(io.Discard, answer.Body)
	_ = err // however the stream ends, it ends
	require.NoError(t, answer.Body.Close())
	select {
	case err := <-ended:
		assert.NoError(t, err)
	case <-time.After(15 * time.Second):
		require.FailNow(t, "still serving 15s after the interruption")
	}
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	var stderr bytes.Buffer
	assert.Equal(t, exitFailed, run([]string{"-page", taken.Addr().String()}, io.Discard, &stderr))
	assert.Contains(t, stderr.String(), taken.Addr().String())
}
