package fenced

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// Once the new leader has touched an object, not even an API server that does not
// hear of the takeover lets the old one write to it.
func TestTheTermOnAnObject(t *testing.T) {
	store := newLeaseStore(t)
	s := newStageWith(t, store.args(), "", "")
	old, next := s.pods[0], s.pods[1]
	s.objects(t)
	s.holds(t, old.identity, 0)
	f := s.fence(t, "configmaps")
	f.Term = true
	s.install(t, f)
	s.until(t, "the stamp of the term", func(ctx context.Context) error {
		if err := writes["update"](ctx, old.clients[0]); err != nil {
			return err
		}
		if term := s.term(t); term != "1" {
			return assert.AnError
		}
		return nil
	})

	s.holds(t, old.identity, 0)
	time.Sleep(200 * time.Millisecond) // the informers of both servers hear of it
	store.stall(s.lab.APIServers()[0].Host().Addr())
	s.holdsThrough(t, 1, next.identity)
	require.NoError(t, writes["update"](t.Context(), old.clients[0]), "nobody has touched it yet")
	assert.Equal(t, "1", s.term(t))
	s.until(t, "the new leader's write", func(ctx context.Context) error { return writes["update"](ctx, next.clients[1]) })
	assert.Equal(t, "2", s.term(t))
	for range 20 {
		err := writes["update"](t.Context(), old.clients[0])
		require.True(t, fence.Refused(err, s.lease), "%v", err)
		require.ErrorContains(t, err, "was written in a later term")
	}
	require.NoError(t, writes["create"](t.Context(), old.clients[0]), "an object of its own says nothing")
}

// term returns what is stamped on the object that is written.
func (s *stage) term(t *testing.T) string {
	t.Helper()
	it, err := s.admin[1].CoreV1().ConfigMaps(namespace).Get(t.Context(), "it", metav1.GetOptions{})
	require.NoError(t, err)
	return it.Annotations[fence.TermAnnotation]
}
