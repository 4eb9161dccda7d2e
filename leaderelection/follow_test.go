package leaderelection

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// watchEnd is how a watch ends: with an error, after a while.
type watchEnd struct {
	err   error
	after time.Duration
}

// endingWatches is a lock whose watches end as is laid down, and at last when they are to.
type endingWatches struct {
	*memoryLock
	ends  []watchEnd
	began []time.Time
	from  []string
}

func (l *endingWatches) Watch(ctx context.Context, from rl.Snapshot, _ func(rl.Snapshot)) error {
	l.began, l.from = append(l.began, time.Now()), append(l.from, from.ResourceVersion)
	if len(l.ends) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	end := l.ends[0]
	l.ends = l.ends[1:]
	time.Sleep(end.after)
	return end.err
}

// followed follows a lease by watches that end so, for a minute, from version 10 on. It
// returns when each began, since the first could, from which version, how many ends the
// trace was told of, and what was said.
func followed(t *testing.T, ends []watchEnd, changes ...func(*leaseWatcher)) (began []time.Duration, from []string, traced int, said string) {
	t.Helper()
	within(t, func(t *testing.T) {
		lock := &endingWatches{memoryLock: newMemory().lock("b"), ends: ends}
		c, _ := candidacyOf(t, lock, func(c *LeaderElectionConfig) { c.Trace = &Trace{WatchEnded: func(error) { traced++ }} })
		w := c.leaseWatcher
		w.random = func() float64 { return 0 }
		w.applyEvent(held("a", "10", 0, time.Hour))
		for _, change := range changes {
			change(w)
		}
		logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true), ktesting.Verbosity(2)))
		ctx, cancel := context.WithTimeout(klog.NewContext(t.Context(), logger), time.Minute)
		defer cancel()
		start := time.Now()
		require.NoError(t, w.follow(ctx))
		sleep(0)
		for _, at := range lock.began {
			began = append(began, at.Sub(start))
		}
		from, said = lock.from, logger.GetSink().(ktesting.Underlier).GetBuffer().String()
	})
	return began, from, traced, said
}

func TestWhenAWatchThatHasEndedBeginsAgain(t *testing.T) {
	no := watchEnd{err: errors.New("no")}
	forbidden := watchEnd{err: apierrors.NewForbidden(leases, "it", errors.New("x"))}
	unsupported := watchEnd{err: apierrors.NewMethodNotSupported(schema.GroupResource{Resource: "leases"}, "watch")}
	ended := func(after time.Duration) watchEnd { return watchEnd{nil, after} }
	for name, test := range map[string]struct {
		ends []watchEnd
		want []time.Duration
		told int // how often it is said that the lease is polled
	}{
		"none ends":              {nil, []time.Duration{0}, 0},
		"each fails":             {[]watchEnd{no, no, no, no, no}, []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms, 3750 * ms, 5750 * ms}, 0},
		"one has lived":          {[]watchEnd{no, ended(2*s + ms), no}, []time.Duration{0, 250 * ms, 2501 * ms, 3001 * ms}, 0},
		"one has not lived long": {[]watchEnd{no, ended(2 * s), no}, []time.Duration{0, 250 * ms, 2750 * ms, 3750 * ms}, 0},
		"each is forbidden":      {[]watchEnd{forbidden, forbidden, forbidden}, []time.Duration{0, 2 * s, 6 * s, 14 * s}, 1},
		"none is supported":      {[]watchEnd{unsupported, unsupported}, []time.Duration{0, 2 * s, 6 * s}, 1},
		"forbidden, and granted": {[]watchEnd{forbidden, forbidden, ended(3 * s), forbidden}, []time.Duration{0, 2 * s, 6 * s, 9250 * ms, 11250 * ms}, 1},
		"the server asks for it": {[]watchEnd{{err: apierrors.NewTooManyRequests("slowly", 1)}}, []time.Duration{0, s}, 0},
		"it cannot be watched":   {[]watchEnd{{err: errNoWatch}}, []time.Duration{0}, 0},
	} {
		began, _, traced, said := followed(t, test.ends)
		assert.Equal(t, test.want, began, name)
		assert.Equal(t, len(test.want)-1, traced, "%s: each end but the last", name)
		assert.Equal(t, test.told, strings.Count(said, "may not be watched"), "%s: %s", name, said)
	}
}

func TestFromWhereAWatchThatHasEndedBeginsAgain(t *testing.T) {
	gone := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonGone, Code: 410}}
	for name, err := range map[string]error{"gone": gone, "expired": apierrors.NewResourceExpired("too old")} {
		_, from, _, _ := followed(t, []watchEnd{{err: errors.New("no")}, {err: err}, {err: errors.New("no")}})
		assert.Equal(t, []string{"10", "10", "", "10"}, from, name)
	}
}

func TestAWatchWaitsForItsTurn(t *testing.T) {
	var pace time.Duration
	began, _, _, _ := followed(t, nil, func(w *leaseWatcher) {
		pace = w.timing.pace()
		w.allowance = &allowance{debt: 21 * pace, at: w.clock.now()}
	})
	assert.Equal(t, []time.Duration{2 * pace}, began, "calls are rationed")

	began, _, _, _ = followed(t, []watchEnd{{err: errors.New("no")}}, func(w *leaseWatcher) {
		w.readFailed(errors.New("no"))
		time.AfterFunc(10*s, func() { w.mu.Lock(); defer w.mu.Unlock(); w.readBackoff = backoff{} })
	})
	assert.Equal(t, []time.Duration{0, 10250 * ms}, began, "what cannot be read need not be watched")
}

// lagging is a lock whose watch goes on to tell after it was ended.
type lagging struct {
	*memoryLock
	restart func()
}

func (l *lagging) Watch(_ context.Context, _ rl.Snapshot, seen func(rl.Snapshot)) error {
	seen(held("a", "11", 2*s, 15*s))
	l.restart()
	seen(held("a", "12", 4*s, 15*s))
	return nil
}

func TestAWatchThatWasEndedTellsNothing(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &lagging{memoryLock: newMemory().lock("b")}
		c, _ := candidacyOf(t, lock)
		lock.restart = func() {
			c.mu.Lock()
			restart := c.restart
			c.mu.Unlock()
			restart()
		}
		require.NoError(t, c.watch(t.Context(), rl.Snapshot{}))
		assert.Equal(t, "11", c.observed().snapshot.ResourceVersion)
		assert.Nil(t, c.restart)
	})
}
