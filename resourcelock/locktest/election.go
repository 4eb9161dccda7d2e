package locktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	upstream "k8s.io/client-go/tools/leaderelection"
	upstreamlock "k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// The durations of the elections.
const (
	LeaseDuration = 4 * time.Second
	RenewDeadline = 2800 * time.Millisecond
	RetryPeriod   = 700 * time.Millisecond
)

// outage is how long a fault lasts that happens to everyone.
const outage = 900 * time.Millisecond

// Elector contends with the lock and the durations above, calls led when it leads,
// and returns when it leads no more or ctx has ended.
type Elector func(ctx context.Context, lock resourcelock.Interface, led func()) error

// ClientGo is client-go's elector.
func ClientGo(ctx context.Context, lock resourcelock.Interface, led func()) error {
	elector, err := upstream.NewLeaderElector(upstream.LeaderElectionConfig{
		Lock: lock, LeaseDuration: LeaseDuration, RenewDeadline: RenewDeadline, RetryPeriod: RetryPeriod,
		Callbacks: upstream.LeaderCallbacks{OnStartedLeading: func(context.Context) { led() }, OnStoppedLeading: func() {}},
	})
	if err == nil {
		elector.Run(ctx)
	}
	return err
}

// Holdfast is the elector of package leaderelection.
func Holdfast(ctx context.Context, lock resourcelock.Interface, led func()) error {
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: LeaseDuration, RenewDeadline: RenewDeadline, RetryPeriod: RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { led(); <-ctx.Done() },
			OnStoppedLeading: func() {},
		},
	})
	if err == nil {
		elector.Run(ctx)
	}
	return err
}

// clientGoLock makes client-go's own lock.
func clientGoLock(config *rest.Config, identity string, bound time.Duration) (resourcelock.Interface, error) {
	return upstreamlock.NewFromKubeconfig(upstreamlock.LeasesResourceLock, "default", "it",
		upstreamlock.ResourceLockConfig{Identity: identity}, rest.CopyConfig(config), bound)
}

// role is what a contender does when the fault comes.
type role string

const (
	leader    role = "leader"    // holds the lease
	candidate role = "candidate" // waits for the lease of one that is dead
)

// cell is a fault in a role.
type cell struct {
	fault  Fault
	extent Extent
	role   role
}

func (c cell) String() string { return fmt.Sprintf("%s/%s/%s", c.fault.Name, c.extent, c.role) }

func cells() []cell {
	var all []cell
	for _, fault := range Faults() {
		all = append(all, fault.cells()...)
	}
	return all
}

// errUntrue is of one who leads and is not the holder of the Lease.
var errUntrue = errors.New("it leads without the lease")

// rounds is how often a cell or a fault is played at most. It takes seconds of real
// time, of which a busy machine may take some away: what is lost then is kept in
// another round, and what cannot be kept is lost in each.
const rounds = 5

// Elections tests the elector with the lock in every cell in which client-go's
// elector with client-go's own lock does well: it loses no lease there, and takes
// one over. Where client-go's does well in less than half of the cells the machine is
// too busy for the durations: all are played again, and the test fails if that does not
// help. All elections run at once, each of a cell's two beside the other. Where this one
// alone has not done well it is played again, and must in one of the rounds.
func Elections(t *testing.T, elector Elector, newLock Make) {
	all := cells()
	theirs, ours := make([]error, len(all)), make([]error, len(all))
	well := 0
	for n := 0; n < rounds && well < len(all)/2; n++ {
		both := newRound(t)
		for i, c := range all {
			both.play(c, &theirs[i], ClientGo, clientGoLock)
			both.play(c, &ours[i], elector, newLock)
		}
		both.Wait()
		well = 0
		for i, c := range all {
			if theirs[i] != nil {
				t.Logf("%s: client-go's own lock: %v; this one: %v", c, theirs[i], ours[i])
				continue
			}
			well++
		}
	}
	for range rounds - 1 {
		again := newRound(t)
		for i, c := range all {
			if theirs[i] == nil && ours[i] != nil {
				t.Logf("%s: %v; it is played again", c, ours[i])
				again.play(c, &ours[i], elector, newLock)
			}
		}
		again.Wait()
	}
	for i, c := range all {
		assert.NotErrorIs(t, ours[i], errUntrue, "%s", c)
		if theirs[i] == nil {
			assert.NoError(t, ours[i], "%s: client-go's own lock does well", c)
		}
	}
	t.Logf("client-go's own lock does well in %d of %d cells", well, len(all))
	assert.GreaterOrEqual(t, well, len(all)/2, "what nothing bears proves nothing")
}

// round is elections that run at once.
type round struct {
	t *testing.T
	sync.WaitGroup
}

func newRound(t *testing.T) *round { return &round{t: t} }

// play begins an election. What does not go well in it is in err after Wait.
func (r *round) play(c cell, err *error, elector Elector, newLock Make) {
	s := newStage(r.t, c.fault)
	r.Go(func() { *err = c.play(s, elector, newLock) })
}

// play runs one election. Its error says what did not go well.
func (c cell) play(s *stage, elector Elector, newLock Make) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.role == candidate {
		dead, err := s.pastTheFault()
		if err != nil {
			return err
		}
		if err := dead.Create(ctx, record("dead", LeaseDuration)); err != nil {
			return fmt.Errorf("before the fault: %w", err)
		}
	}
	lock, err := newLock(s.config, "me", RenewDeadline)
	if err != nil {
		return err
	}
	led, ended := make(chan struct{}), make(chan error, 1)
	var leads atomic.Bool
	go func() {
		ended <- elector(ctx, lock, func() {
			if leads.CompareAndSwap(false, true) {
				close(led)
			}
		})
	}()
	within := func(d time.Duration) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-led:
			return nil
		case err := <-ended:
			return fmt.Errorf("it ended before it led: %w", err)
		case <-timer.C:
			return fmt.Errorf("it did not lead within %v", d)
		}
	}
	if c.role == leader {
		if err := within(3 * LeaseDuration); err != nil {
			return fmt.Errorf("before the fault: %w", err)
		}
	}
	if lost := sleep(ended, RetryPeriod); lost {
		return fmt.Errorf("it ended before the fault")
	}
	s.strike(c.extent)
	if c.extent == Everyone {
		healing := time.AfterFunc(outage, s.mend)
		defer healing.Stop()
	}
	if c.role == candidate {
		if err := within(3 * LeaseDuration); err != nil {
			return err
		}
		if holder, err := s.holder(ctx); err != nil || holder != "me" {
			return errors.Join(err, fmt.Errorf("%w: the holder is %q", errUntrue, holder))
		}
	}
	if lost := sleep(ended, LeaseDuration+RetryPeriod); lost {
		return fmt.Errorf("it lost the lease")
	}
	if idle := time.Since(s.lastWrite()); idle > RenewDeadline {
		return fmt.Errorf("the lease was renewed %v ago", idle)
	}
	return nil
}

// pastTheFault returns a lock that meets no fault.
func (s *stage) pastTheFault() (resourcelock.Interface, error) {
	client, err := coordinationv1.NewForConfig(s.observer)
	if err != nil {
		return nil, err
	}
	return &upstreamlock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client}, nil
}

// holder returns who holds the Lease.
func (s *stage) holder(ctx context.Context) (string, error) {
	lock, err := s.pastTheFault()
	if err != nil {
		return "", err
	}
	record, _, err := lock.Get(ctx)
	if err != nil {
		return "", err
	}
	return record.HolderIdentity, nil
}

// sleep waits for d, and reports whether the election ended before.
func sleep(ended <-chan error, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}
