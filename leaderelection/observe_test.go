package leaderelection

import (
	"context"
	"strconv"
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
