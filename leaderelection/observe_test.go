package leaderelection

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestAReceiverThatIsFarBehindMissesTheOldestLeaders(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("onlooker")
		m.edit(takenBy("first"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := config(lock)
		c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(c)
		require.NoError(t, err)
		leaders := le.Observe(ctx)
		sleep(s) // the first one waits to be received
		const changes = mostLeadersWaiting + 7
		for i := range changes {
			m.edit(func(state *rl.Snapshot) { takenBy(strconv.Itoa(i))(state) })
			sleep(10 * ms)
		}
		assert.Equal(t, "first", (<-leaders).Holder)
		for i := changes - mostLeadersWaiting; i < changes; i++ {
			require.Equal(t, strconv.Itoa(i), (<-leaders).Holder)
		}
		cancel()
		_, open := <-leaders
		assert.False(t, open)
	})
}

// observe returns who was seen to lead so far.
func observe(t *testing.T, lock *memoryLock, watchErr error) func() []string {
	lock.watchErr = watchErr
	c := config(lock)
	c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
	onlooker, err := NewLeaderElector(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var seen []string
	closed := make(chan struct{})
	leaders := onlooker.Observe(ctx)
	go func() {
		defer close(closed)
		for leader := range leaders {
			mu.Lock()
			seen = append(seen, leader.Holder)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-closed })
	return func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), seen...) }
}
