package resourcelock

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

func TestWhatAWriteLeftBehindIsKnownByItsMarkOrItsHolder(t *testing.T) {
	sent := Entry{Record: recordOf("me", 15*time.Second), Duration: 15 * time.Second, Mark: "p.2"}
	at := func(version string, entry Entry, change func(*Snapshot)) Snapshot {
		s := Snapshot{Record: entry.Record, Duration: entry.Duration, Stated: entry.Statement(), ResourceVersion: version}
		if change != nil {
			change(&s)
		}
		return s
	}
	earlier, theirs := sent, Entry{Record: recordOf("other", 15*time.Second), Duration: 15 * time.Second, Mark: "q.1"}
	earlier.Mark = "p.1"
	base := at("7", earlier, nil)
	for name, c := range map[string]struct {
		state Snapshot
		not   string
	}{
		"as it was sent":                    {at("8", sent, nil), ""},
		"its time changed":                  {at("8", sent, func(s *Snapshot) { s.Record.RenewTime = metav1.NewTime(epoch.Add(time.Hour)) }), ""},
		"its holder changed":                {at("8", sent, func(s *Snapshot) { s.Record.HolderIdentity = "cluster:me" }), ""},
		"the case of its holder":            {at("8", sent, func(s *Snapshot) { s.Record.HolderIdentity = "ME" }), ""},
		"without annotations":               {at("8", sent, func(s *Snapshot) { s.Stated = Statement{} }), ""},
		"without, in another case":          {at("8", sent, func(s *Snapshot) { s.Stated, s.Record.HolderIdentity = Statement{}, "Me" }), ""},
		"with the annotations it had":       {at("8", sent, func(s *Snapshot) { s.Stated.Mark, s.Stated.RenewTime = "p.1", epoch.Add(-time.Second) }), ""},
		"from a store that has no versions": {at("", sent, nil), ""},
		"nothing was stored":                {base, "at the version it had, 7"},
		"nothing, of another":               {at("7", theirs, nil), `held by "other"`},
		"put back and touched":              {at("8", earlier, nil), `another write, of "me"`},
		"another's":                         {at("8", theirs, nil), `another write, of "other"`},
		"another's, who leaves none":        {at("8", theirs, func(s *Snapshot) { s.Stated = Statement{} }), `the holder is "other" where "me" was sent`},
		"nobody's":                          {at("8", theirs, func(s *Snapshot) { s.Stated, s.Record = Statement{}, LeaderElectionRecord{} }), `the holder is "" where "me" was sent`},
	} {
		err := stored(base, sent, c.state)
		if c.not == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.not, name)
		}
	}
	assert.NoError(t, stored(Snapshot{}, sent, at("1", sent, nil)), "created")

	// A Lease that bears no marks, and of which a label was edited, is at a new version.
	fine, whole := metav1.NewTime(epoch.Add(time.Millisecond)), metav1.NewTime(epoch.Truncate(time.Second))
	bare := func(renewed metav1.Time) func(*Snapshot) {
		return func(s *Snapshot) { s.Stated, s.Record.RenewTime = Statement{}, renewed }
	}
	later := sent
	later.Record.RenewTime = metav1.NewTime(epoch.Add(2 * time.Second))
	assert.ErrorContains(t, stored(at("7", sent, bare(fine)), later, at("8", sent, bare(fine))), "without a mark of this write")
	assert.NoError(t, stored(at("7", sent, bare(whole)), later, at("8", sent, bare(whole))), "admission may cut times to seconds")
	assert.NoError(t, stored(at("7", sent, bare(fine)), later, at("8", later, bare(later.Record.RenewTime))), "it strips annotations only")
	assert.Error(t, stored(Snapshot{}, sent, at("1", theirs, nil)), "created by another")
}

// liar answers writes with what stands there, and sends none of them on.
type liar struct{ next http.RoundTripper }

func (l liar) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut {
		return l.next.RoundTrip(r)
	}
	_ = r.Body.Close()
	instead := r.Clone(r.Context())
	instead.Method, instead.Body, instead.ContentLength, instead.GetBody = http.MethodGet, nil, 0, nil
	return l.next.RoundTrip(instead)
}

// confused answers reads with another Lease.
type confused struct{ next http.RoundTripper }

func (c confused) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(r)
	if err != nil || response.StatusCode >= http.StatusMultipleChoices {
		return response, err
	}
	var lease coordinationv1.Lease
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&lease); err != nil {
		return nil, err
	}
	lease.Name = "another"
	body, err := json.Marshal(lease)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Del("Content-Length")
	return response, err
}

// behind returns config with wrap around its transport.
func behind(config *rest.Config, wrap func(http.RoundTripper) http.RoundTripper) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType = "application/json"
	config.Wrap(wrap)
	return config
}

func TestAWriteThatIsAnsweredAndNotDoneIsAnError(t *testing.T) {
	config := api(t)
	state, err := lock(t, config, "other", Options{}).Write(t.Context(), Snapshot{}, Entry{Record: recordOf("other", time.Second), Duration: time.Second, Mark: "q.1"})
	require.NoError(t, err)

	lied := lock(t, behind(config, func(next http.RoundTripper) http.RoundTripper { return liar{next} }), "me", Options{})
	_, err = lied.Write(t.Context(), state, Entry{Record: recordOf("me", time.Second), Duration: time.Second, Mark: "p.1"})
	require.ErrorContains(t, err, `lease default/it: answered as written, but the Lease is at the version it had`)
	_, _, err = lied.Get(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, lied.Update(t.Context(), recordOf("me", time.Second)), `held by "other"`, "client-go's elector leads on it")
}

func TestAnAnswerAboutAnotherLeaseIsAnError(t *testing.T) {
	config := api(t)
	_, err := lock(t, config, "other", Options{}).Write(t.Context(), Snapshot{}, Entry{Record: recordOf("other", time.Second), Duration: time.Second})
	require.NoError(t, err)
	l := lock(t, behind(config, func(next http.RoundTripper) http.RoundTripper { return confused{next} }), "me", Options{})
	_, err = l.Read(t.Context())
	require.ErrorContains(t, err, `lease default/it: the answer is about "default/another"`)
	_, _, err = l.Get(t.Context())
	require.Error(t, err)
}
