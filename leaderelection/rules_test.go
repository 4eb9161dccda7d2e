package leaderelection

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestAServerIsWaitedForAsItAsks(t *testing.T) {
	assert.Equal(t, 2*s, retryAfter(apierrors.NewTooManyRequests("slowly", 2)))
	assert.Zero(t, retryAfter(errors.New("no answer")))
	asked, silent := new(backoff), new(backoff)
	at := instant{mono: time.Unix(0, 0)}
	asked.fail(at, timing{15 * s, 10 * s, 2 * s}, 0, apierrors.NewTooManyRequests("slowly", 2))
	silent.fail(at, timing{15 * s, 10 * s, 2 * s}, 0, errors.New("no answer"))
	assert.GreaterOrEqual(t, asked.due(at), 2*s)
	assert.Less(t, silent.due(at), 2*s)
}

func TestTheTransitionsOfANewLeaseAreNone(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	assert.Zero(t, claim("a", rl.Snapshot{}, 15*s, at, 0).LeaderTransitions)
	for before, after := range map[int]int{0: 1, 41: 42, -5: 1, 1<<31 - 1: 1<<31 - 1, 1 << 40: 1<<31 - 1} {
		base := rl.Snapshot{ResourceVersion: "1", Record: rl.LeaderElectionRecord{LeaderTransitions: before}}
		assert.Equal(t, after, claim("a", base, 15*s, at, 0).LeaderTransitions, "%d", before)
	}
}

func TestAReleaseThatFailsSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		meets func(l *memoryLock)
		says  string
	}{
		"it is refused":                   {func(l *memoryLock) { l.with(func(l *memoryLock) { l.fail = errors.New("the quota is used up") }) }, "the quota is used up"},
		"nobody answers":                  {func(l *memoryLock) { l.with(func(l *memoryLock) { l.cut = true }) }, "no answer within"},
		"another process of its identity": {func(l *memoryLock) { l.edit(func(state *rl.Snapshot) { state.Stated.Mark = "another's" }) }, "another process of the same identity"},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				lock := newMemory().lock("a")
				a := contend(t, lock)
				sleep(s)
				a.takesToStop(s / 4)
				go func() { sleep(s / 8); test.meets(lock) }()
				err := a.Resign(t.Context())
				require.Error(t, err)
				assert.ErrorContains(t, err, test.says)
			})
		})
	}
}
