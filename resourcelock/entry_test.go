package resourcelock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAWriterStatesItsWriteAndAPeerThatStatesNothingVoidsIt(t *testing.T) {
	config := api(t)
	ours, theirs := lock(t, config, "me", Options{}), client(t, config).CoordinationV1().Leases("default")
	entry := Entry{Record: recordOf("me", 1500*time.Millisecond), Duration: 1500 * time.Millisecond, Mark: "process.1"}
	written, err := ours.Write(t.Context(), Snapshot{}, entry)
	require.NoError(t, err)
	read, err := ours.Read(t.Context())
	require.NoError(t, err)
	for _, state := range []Snapshot{written, read} {
		assert.Equal(t, "process.1", state.Stated.Mark)
		assert.Equal(t, "me", state.Stated.Holder)
		assert.Equal(t, 1500*time.Millisecond, state.Stated.Duration)
		assert.True(t, state.Stated.Describes(state.Record))
	}

	// An edit of the duration by hand is not part of the holder's write.
	lease, err := theirs.Get(t.Context(), "it", metav1.GetOptions{})
	require.NoError(t, err)
	one := int32(1)
	lease.Spec.LeaseDurationSeconds = &one
	lease, err = theirs.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	read, err = ours.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1500*time.Millisecond, read.Duration)

	other := "other"
	lease.Spec.HolderIdentity = &other
	_, err = theirs.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	read, err = ours.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "process.1", read.Stated.Mark, "it is left in place")
	assert.False(t, read.Stated.Describes(read.Record))
	assert.Equal(t, time.Second, read.Duration)
}
