package simulation

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// choose starts what the API server does in coordinated election: it gives a
// lease that nobody holds to a contender, and now and then prefers another.
func (w *World) choose() {
	w.running.Go(func() {
		for {
			w.mu.Lock()
			if w.over {
				w.mu.Unlock()
				return
			}
			w.appoint()
			pause := between(w.random("chooser"), clearDelay, w.timing.Retry)
			w.mu.Unlock()
			time.Sleep(pause)
		}
	})
}

// appoint looks after the lease once.
func (w *World) appoint() {
	random := w.random("chooser")
	var candidates []*Process
	for _, h := range w.hosts {
		if p := h.process; p != nil && !p.dead() && !p.exited && !p.returned && !p.cancelled && !h.paused() {
			candidates = append(candidates, p)
		}
	}
	if len(candidates) == 0 {
		return
	}
	s, chosen := w.store.current(), candidates[random.IntN(len(candidates))].Identity
	vacant := !s.held() || w.now() > s.committed+s.lease
	strategy := coordinationv1.OldestEmulationVersion
	switch {
	case vacant:
		at := metav1.NewTime(time.Now().Truncate(time.Microsecond))
		next := state{Snapshot: rl.Snapshot{Record: rl.LeaderElectionRecord{
			HolderIdentity: chosen, LeaseDurationSeconds: rl.WholeSeconds(w.timing.Lease), AcquireTime: at, RenewTime: at,
			LeaderTransitions: s.Record.LeaderTransitions + 1, Strategy: strategy,
		}}, committed: w.now()}
		next.Duration = whole(next.Record)
		next.lease = next.Duration
		if w.has(HTTP) {
			next.object = &coordinationv1.Lease{
				TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
				ObjectMeta: metav1.ObjectMeta{Name: leaseName, Namespace: namespace},
				Spec:       rl.LeaderElectionRecordToLeaseSpec(&next.Record),
			}
		}
		w.store.commit(next)
		w.note("API", "appoints %q", chosen)
	case s.Record.PreferredHolder == "" && s.Record.HolderIdentity != chosen && random.IntN(20) == 0:
		w.store.edit(w.now(), func(s *state) {
			s.Record.PreferredHolder = chosen
			if s.object != nil {
				s.object = s.object.DeepCopy()
				s.object.Spec.PreferredHolder = &chosen
			}
		})
		w.lastEdit = w.now()
		w.note("API", "prefers %q", chosen)
	}
}
