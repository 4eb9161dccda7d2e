package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// minReady is for how long a new process stands by before an old one is told to stop, as
// minReadySeconds of a Deployment: long enough to be seen.
const minReady = time.Second

// rollout has the processes of both fleets replaced by those of the next revision. The
// error wraps errNotAgain while one is under way, and where a fleet has not a leader and
// a standby that are on the network.
func (l *live) rollout() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rolling {
		return fmt.Errorf("roll out: %w: a rollout is under way", errNotAgain)
	}
	for _, f := range fleets {
		leaders := 0
		for _, slot := range liveSlots {
			host := f.name + "/" + slot
			if l.vacant(f.name, slot) {
				continue
			}
			p := l.latest[host]
			if p == nil || p.gone() || !p.ready.Load() || l.cut[host] {
				return fmt.Errorf("roll out: %w: %s %q must stand by or lead, on the network, first", errNotAgain, f.name, slot)
			}
			if p.leads.Load() {
				leaders++
			}
		}
		if leaders != 1 {
			return fmt.Errorf("roll out: %w: %s must have a leader first", errNotAgain, f.name)
		}
	}
	l.rolling = true
	l.revision++
	l.rollouts <- l.revision // there is room: one at a time
	return nil
}

// rollOuts plays the rollouts that are asked for until ctx is done.
func (l *live) rollOuts(ctx context.Context) {
	for {
		select {
		case revision := <-l.rollouts:
			var rolling sync.WaitGroup
			for _, f := range fleets {
				rolling.Go(func() {
					if err := l.rollOut(ctx, f, revision); err != nil && ctx.Err() == nil {
						l.stage.fail(err)
					}
				})
			}
			rolling.Wait()
			l.mu.Lock()
			l.rolling = false
			l.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// rollOut does what a Deployment with maxSurge 1 and maxUnavailable 0 does: it starts a
// process of the revision, waits until that stands by, tells an old one to stop, and so
// on. As a Deployment it waits for as long as that takes, whatever breaks meanwhile.
func (l *live) rollOut(ctx context.Context, f fleet, revision int) error {
	l.journal.add(event{scenario: liveName, fleet: f.name, revision: revision, kind: rolling})
	until := func(enough func() bool) error {
		return l.stage.await(ctx, f, func([]event) bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return enough()
		})
	}
	for range liveReplicas {
		host, name := "", ""
		if err := until(func() bool {
			host, name = l.place(f)
			return host != ""
		}); err != nil {
			return err
		}
		// What it takes until a new process runs is what it takes to start one again.
		if !pause(ctx, l.stage.restart) {
			return context.Cause(ctx)
		}
		if _, err := l.stage.spawn(f, name, revision); err != nil {
			return err
		}
		if err := until(func() bool { return l.latest[host].ready.Load() && !l.latest[host].gone() }); err != nil {
			return err
		}
		if !pause(ctx, minReady) {
			return context.Cause(ctx)
		}
		if err := until(func() bool { return l.retireOne(f, revision) }); err != nil {
			return err
		}
	}
	err := until(func() bool {
		_, free := l.place(f)
		return free != "" && slices.ContainsFunc(l.processes(f), func(p *process) bool { return p.leads.Load() })
	})
	if err == nil {
		l.journal.add(event{scenario: liveName, fleet: f.name, revision: revision, kind: rolled})
	}
	return err
}

// vacant reports whether nobody is to run in a slot. It must be called with mu held, as
// must all that follow.
func (l *live) vacant(kindOf, slot string) bool {
	if p := l.latest[kindOf+"/"+slot]; p != nil {
		return p.fate.Load() == vacated
	}
	return !slices.Contains(liveReplicas, slot)
}

// place returns the host that a new process of a fleet may run on, and its name there.
// Both are empty where there is none yet.
func (l *live) place(f fleet) (host, name string) {
	for _, slot := range liveSlots {
		if !l.vacant(f.name, slot) {
			continue
		}
		host, name = f.name+"/"+slot, slot
		if p := l.latest[host]; p != nil {
			name = nextName(p.name)
		}
		return host, name
	}
	return "", ""
}

// processes are those of a fleet, one for each slot that somebody is to run in.
func (l *live) processes(f fleet) (all []*process) {
	for _, slot := range liveSlots {
		if p := l.latest[f.name+"/"+slot]; p != nil && p.fate.Load() != vacated {
			all = append(all, p)
		}
	}
	return all
}

// retireOne tells a process of an older revision to stop, the leader rather than
// another, and reports whether there was one. A process that is about to be started
// again is not told.
func (l *live) retireOne(f fleet, revision int) bool {
	old := slices.DeleteFunc(l.processes(f), func(p *process) bool { return p.revision == revision })
	slices.SortStableFunc(old, func(a, b *process) int { return rank(a) - rank(b) })
	for _, p := range old {
		if p.fate.CompareAndSwap(undecided, retired) {
			l.stage.report(p, stopping, "")
			p.cancel()
			return true
		}
	}
	return false
}

func rank(p *process) int {
	if p.leads.Load() {
		return 0
	}
	return 1
}

// heir names the process that is to lead after another of its fleet, as podsuccessor does
// of Pods: the oldest of the newest revision of those that are ready and here to stay. It
// is called without mu.
func (l *live) heir(after *process) string {
	var best *process
	for _, p := range l.stage.alive() { // the oldest first
		able := p.fleet.name == after.fleet.name && p != after && p.ready.Load() && !p.gone() && p.fate.Load() == undecided
		if able && (best == nil || p.revision > best.revision) {
			best = p
		}
	}
	if best == nil {
		return ""
	}
	return best.name
}
