package resourcelock

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/holdfast-go/holdfast/dialer"
)

// script is a client whose answers a test decides, in virtual time.
type script struct {
	coordinationv1client.LeaseInterface // nil: what is not scripted panics

	get   func() (*coordinationv1.Lease, error)
	watch func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error)

	mu      sync.Mutex
	watched []metav1.ListOptions
}

func (s *script) Leases(string) coordinationv1client.LeaseInterface { return s }

func (s *script) Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error) {
	return s.get()
}

func (s *script) Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	s.mu.Lock()
	s.watched = append(s.watched, options)
	s.mu.Unlock()
	return s.watch(ctx, options)
}

func (s *script) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watched)
}

// scripted returns n locks on Leases l0, l1 … of one factory on the script.
func scripted(s *script, bound time.Duration, n int) []*LeaseLock {
	budget := dialer.Budget{Answer: bound}.WithDefaults()
	f := &Factory{watches: newSharedWatches(s, budget, false), bound: bound, names: map[string]map[string]int{}}
	var locks []*LeaseLock
	for i := range n {
		l := f.lock("default", "l"+strconv.Itoa(i), ResourceLockConfig{Identity: "me"}, nil)
		l.Client = s
		locks = append(locks, l)
	}
	return locks
}

func leaseAt(version int, name, holder string) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, ResourceVersion: strconv.Itoa(version)},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder},
	}
}

func stateAt(version int, name, holder string) Snapshot {
	return (&LeaseLock{}).snapshot(leaseAt(version, name, holder))
}

const minute = time.Minute

func TestAWatchThatFailsAtOnceIsOpenedAtLongerAndLongerIntervals(t *testing.T) {
	for name, fails := range map[string]func(context.Context, metav1.ListOptions) (watch.Interface, error){
		"refused": func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return nil, apierrors.NewInternalError(errors.New("database is locked"))
		},
		"expired": func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return nil, apierrors.NewResourceExpired("too old resource version")
		},
		"ends well": func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			w := watch.NewRaceFreeFake()
			w.Stop()
			return w, nil
		},
		"ends with an error": func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			w := watch.NewRaceFreeFake()
			w.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired})
			return w, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{watch: fails, get: func() (*coordinationv1.Lease, error) { return leaseAt(5, "l0", "a"), nil }}
				ctx, cancel := context.WithTimeout(t.Context(), minute)
				defer cancel()
				var all sync.WaitGroup
				for _, l := range scripted(s, 10*time.Second, 200) {
					all.Go(func() {
						for ctx.Err() == nil { // as careless as a caller can be
							_ = l.Watch(ctx, Snapshot{}, func(Snapshot) {})
						}
					})
				}
				all.Wait()
				assert.LessOrEqual(t, s.asked(), 20, "in a minute, by 200 locks")
				assert.GreaterOrEqual(t, s.asked(), 10)
			})
		})
	}
}

func TestANamespaceForbiddenForAMomentIsWatchedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &script{get: func() (*coordinationv1.Lease, error) { return leaseAt(5, "l0", "a"), nil }}
		s.watch = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if options.FieldSelector == "" && time.Since(start) < 1400*time.Millisecond {
				return nil, apierrors.NewForbidden(coordinationv1.Resource("leases"), "", errors.New("not yet"))
			}
			w := watch.NewRaceFreeFake()
			context.AfterFunc(ctx, w.Stop)
			return w, nil
		}
		locks := scripted(s, time.Second, 2)
		together := func() bool { // whether a Watch that is over before it can fall silent is on the namespace
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, locks[0].Watch(ctx, Snapshot{}, func(Snapshot) {}), context.DeadlineExceeded)
			synctest.Wait()
			return s.watched[len(s.watched)-1].FieldSelector == ""
		}
		assert.False(t, together())
		for !together() {
			require.Less(t, time.Since(start), 5*time.Second)
		}
	})
	assert.Equal(t, lastAsk, pause(1000, firstAsk, lastAsk), "but one forbidden for good is asked for rarely")
}

func TestOpeningAWatchIsBoundedHoweverDeafTheClient(t *testing.T) {
	for name, blocks := range map[string]func(context.Context){
		"silent": func(ctx context.Context) { <-ctx.Done() },
		"deaf":   func(context.Context) { time.Sleep(minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{watch: func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) {
					blocks(ctx)
					return nil, ctx.Err()
				}}
				start := time.Now()
				err := scripted(s, time.Second, 1)[0].Watch(t.Context(), Snapshot{}, func(Snapshot) {})
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorIs(t, err, context.Canceled)
				assert.LessOrEqual(t, time.Since(start), time.Second)
				time.Sleep(2 * minute)
			})
		})
	}
}

// client-go reports a watch that it could not open, after ten tries, as one that
// has ended well.
func TestAWatchThatClientGoGaveUpOpeningIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{watch: func(context.Context, metav1.ListOptions) (watch.Interface, error) { return watch.NewEmptyWatch(), nil }}
		assert.ErrorIs(t, scripted(s, time.Second, 1)[0].Watch(t.Context(), Snapshot{}, func(Snapshot) {}), errNotReached)
	})
}

func TestAWatchDoesNotBeginAtAVersionThatTheAPIHasForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{get: func() (*coordinationv1.Lease, error) { return leaseAt(5, "l0", "a"), nil }}
		s.watch = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if options.ResourceVersion != "" {
				return nil, apierrors.NewResourceExpired("too old resource version")
			}
			w := watch.NewRaceFreeFake()
			w.Add(leaseAt(5, "l0", "a"))
			context.AfterFunc(ctx, w.Stop)
			return w, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), minute)
		defer cancel()
		err := scripted(s, time.Second, 1)[0].Watch(ctx, stateAt(5, "l0", "a"), func(s Snapshot) {
			assert.Fail(t, "told what it knows", "%+v", s.Record)
		})
		assert.ErrorIs(t, err, context.DeadlineExceeded, "it is watched until the end")
	})
}

// etcd restored from a backup goes on with lower versions.
func TestAReadIsTheTruthThoughItsVersionIsLower(t *testing.T) {
	for name, initial := range map[string]*coordinationv1.Lease{"the watch brings it too": leaseAt(50, "l0", "b"), "the watch is behind": leaseAt(100, "l0", "a")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{get: func() (*coordinationv1.Lease, error) { return leaseAt(50, "l0", "b"), nil }}
				s.watch = func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) {
					w := watch.NewRaceFreeFake()
					w.Add(initial)
					context.AfterFunc(ctx, w.Stop)
					return w, nil
				}
				var seen []string
				l := scripted(s, time.Second, 1)[0]
				err := l.Watch(t.Context(), stateAt(100, "l0", "a"), func(s Snapshot) { seen = append(seen, s.Record.HolderIdentity) })
				assert.ErrorIs(t, err, errBackwards)
				assert.Equal(t, []string{"b"}, seen)
			})
		})
	}
}

func TestAWatchThatGoesBackwardsIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{get: func() (*coordinationv1.Lease, error) { return leaseAt(100, "l0", "a"), nil }}
		fake := watch.NewRaceFreeFake()
		s.watch = func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) {
			context.AfterFunc(ctx, fake.Stop)
			return fake, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		seen := make(chan string, 10)
		ended := make(chan error, 1)
		l := scripted(s, time.Second, 1)[0]
		go func() {
			ended <- l.Watch(ctx, stateAt(100, "l0", "a"), func(s Snapshot) { seen <- s.Record.HolderIdentity })
		}()
		fake.Add(leaseAt(100, "l0", "a"))
		synctest.Wait()
		for i, holder := range []string{"b", "c"} {
			fake.Modify(leaseAt(51+i, "l0", holder))
			assert.Equal(t, holder, <-seen)
		}
		cancel()
		<-ended
	})
}

func TestAWatchThatComesNoNearerToWhatWasReadIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{get: func() (*coordinationv1.Lease, error) { return leaseAt(100, "l0", "a"), nil }}
		s.watch = func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) {
			w := watch.NewRaceFreeFake()
			go func() { // busy, and in a world of its own
				for i := 0; ctx.Err() == nil; i++ {
					w.Modify(leaseAt(50, "l"+strconv.Itoa(i), "x"))
					time.Sleep(10 * time.Millisecond)
				}
			}()
			return w, nil
		}
		err := scripted(s, time.Second, 2)[0].Watch(t.Context(), Snapshot{}, func(Snapshot) {})
		assert.ErrorIs(t, err, errSilent)
		time.Sleep(time.Second)
	})
}

func TestWhatAReadHasSeenIsNotOverwrittenByWhatTheWatchBringsLate(t *testing.T) {
	box := newLatestLease(Snapshot{})
	read := box.reading()
	assert.False(t, read(10, leaseAt(10, "l0", "read")))
	for _, version := range []uint64{8, 9, 10} {
		box.post(version, leaseAt(int(version), "l0", "late"))
	}
	lease, full := box.take()
	require.True(t, full)
	assert.Equal(t, "read", *lease.Spec.HolderIdentity)

	read = box.reading()
	box.post(12, leaseAt(12, "l0", "watch"))
	assert.False(t, read(11, leaseAt(11, "l0", "read")), "what overlaps is ordered by version")
	lease, _ = box.take()
	assert.Equal(t, "watch", *lease.Spec.HolderIdentity)

	read = box.reading()
	box.post(13, leaseAt(13, "l0", "created anew"))
	assert.False(t, read(0, nil))
	lease, _ = box.take()
	assert.NotNil(t, lease, "what was not there may have been created since")
	read = box.reading()
	read(0, nil)
	lease, full = box.take()
	assert.True(t, full)
	assert.Nil(t, lease)
}

func TestFailuresOfNamespacesThatNobodyWatchesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{watch: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return nil, apierrors.NewInternalError(errors.New("no"))
		}}
		w := newSharedWatches(s, dialer.Budget{Answer: time.Second}.WithDefaults(), false)
		for i := range 1000 {
			l := &LeaseLock{Client: s, LeaseMeta: metav1.ObjectMeta{Namespace: "n" + strconv.Itoa(i), Name: "it"}}
			assert.Error(t, w.watch(t.Context(), l, scope{l.LeaseMeta.Namespace, "it"}, Snapshot{}, nil))
			time.Sleep(minute)
		}
		assert.LessOrEqual(t, len(w.failures), 12)
		assert.Empty(t, w.open)
	})
}
