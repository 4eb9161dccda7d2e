package deploy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// breaks says what the controller can no longer do without a right.
var breaks = map[right]step{
	{"get", "leases"}:        leads,
	{"create", "leases"}:     leads,
	{"update", "leases"}:     keepsTheLease,
	{"list", "configmaps"}:   leads, // it contends with filled caches only
	{"create", "configmaps"}: publishes,
	{"update", "configmaps"}: follows,
	{"list", "services"}:     leads,
	{"create", "events"}:     warns,
	{"patch", "events"}:      counts,
}

// plainLists holds the rights that only an informer which lists needs. Against an
// API server that streams lists, as 1.37 does, it watches from the beginning;
// these cases therefore run without that, as against one that does not.
var plainLists = map[right]bool{
	{"list", "configmaps"}: true,
	{"list", "services"}:   true,
}

// slows holds the rights without which all goes on, later.
var slows = map[right]bool{
	{"watch", "leases"}:     true,
	{"watch", "configmaps"}: true,
	{"watch", "services"}:   true,
}

// With the manifests' rights the controller does all of its work and is refused
// nothing.
func TestTheRightsAreEnough(t *testing.T) {
	t.Parallel()
	c := deployed(t, "whole", granted(t), true)
	for _, s := range steps {
		require.True(t, c.within(s, soon), "it never %s:\n%s", s, c.log())
	}
	c.handsOver(t)
	assert.NotContains(t, c.log(), "forbidden")
}

// Told not to elect, it publishes without a Lease and without a right to one.
func TestASingleReplicaNeedsNoLease(t *testing.T) {
	t.Parallel()
	rights := granted(t)
	for _, verb := range []string{"create", "get", "update", "watch"} {
		rights = rights.without(right{verb, "leases"})
	}
	c := deployed(t, "single", rights, true, "-leader-elect=false")
	for _, s := range []step{publishes, follows, warns} {
		require.True(t, c.within(s, soon), "it never %s:\n%s", s, c.log())
	}
	_, err := c.api.CoordinationV1().Leases(c.namespace).Get(t.Context(), name, metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "%v", err)
	assert.NotContains(t, c.log(), "forbidden")
}

// Without any one of them it fails at something, by name, or is slower.
func TestTheRightsAreTheLeast(t *testing.T) {
	t.Parallel()
	all := granted(t)
	require.Len(t, all.rights(), len(breaks)+len(slows), "a right of the manifests has no entry here, or the other way round")
	for i, lost := range all.rights() {
		t.Run(lost.String(), func(t *testing.T) {
			t.Parallel()
			c := deployed(t, fmt.Sprintf("less-%d", i), all.without(lost), !plainLists[lost])
			broken, isBroken := breaks[lost]
			if !isBroken {
				require.True(t, slows[lost], "%s is in neither table", lost)
			}
			for _, s := range steps {
				if isBroken && s == broken {
					require.False(t, c.within(s, broke), "it %s without the right to %s", s, lost)
					t.Logf("figure: rights: without %q it no longer %s", lost, s)
					break
				}
				require.True(t, c.within(s, slow), "it never %s:\n%s", s, c.log())
			}
			if lost == (right{"watch", "leases"}) {
				c.handsOver(t) // the first replica may lead before it would watch, the second one waits
				assert.Contains(t, c.log(), "The lease may not be watched, so it is polled")
			}
			assert.True(t, strings.Contains(c.log(), lost.denied()), "the log does not say %q:\n%s", lost.denied(), c.log())
			if slows[lost] {
				t.Logf("figure: rights: without %q it does everything, late", lost)
			}
		})
	}
}
