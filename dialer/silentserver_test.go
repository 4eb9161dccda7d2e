package dialer

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A hundred callers of a server that accepts and says nothing: each ends within its
// bound, and its error says what it has waited for.
func TestEachOfManyCallersOfASilentServerLearnsWhy(t *testing.T) {
	server, _ := newServer(t, false, hello)
	relay := newRelay(t, server.Listener.Addr().String())
	relay.deaf.Store(true)
	for _, mode := range []Mode{KeepConnections, NewConnections} {
		const bound, callers = time.Second, 100
		client := newClient(t, server, Budget{Answer: bound, Mode: mode})
		var running sync.WaitGroup
		var mu sync.Mutex
		said := map[stage]int{}
		for range callers {
			running.Go(func() {
				start := time.Now()
				_, err := client.Get("https://" + relay.address())
				assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				assert.Less(t, time.Since(start), bound+slowMachine)
				mu.Lock()
				defer mu.Unlock()
				for _, s := range []stage{stageShaking, stageQueued, stageDialled} {
					if strings.Contains(err.Error(), s.words()) {
						said[s]++
						return
					}
				}
				t.Errorf("%v: says not what was waited for", err)
			})
		}
		running.Wait()
		t.Logf("figure: %d callers of a silent server, %v: %d in a handshake, %d waited for one", callers, mode, said[stageShaking], said[stageQueued])
		assert.Positive(t, said[stageShaking])
		assert.Positive(t, said[stageQueued])
	}
}
