package resourcelock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestALeaseWithoutResourceVersionExistsAndIsReplacedOnlyAsItWasRead(t *testing.T) {
	client := fake.NewClientset()
	lock := &rl.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client.CoordinationV1()}
	entry := func(holder string) rl.Entry {
		return rl.Entry{Record: rl.LeaderElectionRecord{HolderIdentity: holder, LeaseDurationSeconds: 15, RenewTime: metav1.Now()}}
	}
	nothing, err := lock.Read(t.Context())
	require.NoError(t, err)
	assert.False(t, nothing.Exists())

	first, err := lock.Write(t.Context(), nothing, entry("a"))
	require.NoError(t, err)
	assert.True(t, first.Exists(), "client-go's fake names no version")
	second, err := lock.Write(t.Context(), first, entry("b"))
	require.NoError(t, err)
	assert.Equal(t, "b", second.Record.HolderIdentity)

	_, err = lock.Write(t.Context(), first, entry("c"))
	assert.True(t, apierrors.IsConflict(err), "%v", err)
	_, err = lock.Write(t.Context(), nothing, entry("c"))
	assert.True(t, apierrors.IsAlreadyExists(err), "%v", err)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = lock.Watch(ctx, first, func(state rl.Snapshot) {
		assert.Equal(t, "b", state.Record.HolderIdentity, "what came before the watch is told")
		cancel()
	})
	assert.ErrorIs(t, err, context.Canceled)
	_, _, err = lock.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Update(t.Context(), entry("d").Record), "upstream's Interface needs no version either")
}
