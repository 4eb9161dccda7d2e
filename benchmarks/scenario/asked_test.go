package scenario

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

func audit(user, uri, object string) string {
	return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"RequestReceived","requestURI":"` + uri +
		`","verb":"get","user":{"username":"` + user + `","groups":["system:masters"]},"objectRef":` + object +
		`,"requestReceivedTimestamp":"2026-11-27T12:00:02.500000Z","stageTimestamp":"2026-11-27T12:00:02.600000Z"}`
}

func TestARequestIsReadFromTheAuditLog(t *testing.T) {
	p := Program{Namespace: "kube-system", Lease: "op"}
	for object, about := range map[string]string{
		`{"resource":"leases","namespace":"kube-system","name":"op"}`:    theLease,
		`{"resource":"leases","namespace":"kube-system"}`:                theLease, // all of a namespace
		`{"resource":"leases","namespace":"kube-system","name":"other"}`: "the other Lease kube-system/other",
		`{"resource":"leases","namespace":"default","name":"op"}`:        "the other Lease default/op",
		`{"resource":"configmaps","namespace":"kube-system"}`:            "configmaps",
		`null`: "/version",
	} {
		e, err := request([]byte(audit("contender-2", "/version?timeout=5s", object)), p)
		require.NoError(t, err)
		assert.Equal(t, event.Event{Time: after(2.5), Who: "contender-2", What: event.Requested, Verb: "get", On: about}, e, object)
	}
	for _, line := range []string{"", "E1127 klog", `{"verb":"get"}`} {
		_, err := request([]byte(line), p)
		assert.ErrorContains(t, err, "read what an API server was asked")
	}
}

func TestTheOtherLeasesThatWereAskedForAreNamed(t *testing.T) {
	asked := func(about string) event.Event { return event.Event{What: event.Requested, On: about} }
	assert.Equal(t, []string{"default/op", "default/x"}, othersAsked([]event.Event{
		asked(theLease), asked(anotherLease + "default/op"), asked("configmaps"), asked(anotherLease + "default/op"), asked(anotherLease + "default/x"),
	}))
}

func TestOnlyWhatTheCopiesAskFromNowOnIsHeard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	lease := `{"resource":"leases","namespace":"n","name":"l"}`
	require.NoError(t, os.WriteFile(path, []byte(audit("contender-1", "/", lease)+"\n"), 0o600))
	log, err := auditFrom(path)
	require.NoError(t, err)
	defer log.Close()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString(audit("someone", "/", lease) + "\n" + audit("contender-2", "/", lease) + "\n" + audit("contender-2", "/half", "null"))
	require.NoError(t, err)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var heard []event.Event
	require.NoError(t, listen(ended, log, Program{Namespace: "n", Lease: "l"}, func(e event.Event) { heard = append(heard, e) }))
	assert.Equal(t, []event.Event{{Time: after(2.5), Who: "contender-2", What: event.Requested, Verb: "get", On: theLease}}, heard)

	_, err = auditFrom(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
