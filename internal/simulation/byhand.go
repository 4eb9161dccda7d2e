package simulation

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// featured returns what happens now and then by the world's features.
func (w *World) featured() (strikes []func(*rand.Rand)) {
	for _, f := range []struct {
		feature Feature
		strike  func(*rand.Rand)
	}{
		{Stops, func(random *rand.Rand) { w.target(random).pause(w.nap(random), false) }},
		{Suspension, func(random *rand.Rand) { w.target(random).pause(w.nap(random), true) }},
		{ClockSteps, func(random *rand.Rand) { w.target(random).step(random) }},
		{Refusals, func(random *rand.Rand) { w.target(random).refuse(random) }},
		{Restores, w.restore},
		{Compaction, func(*rand.Rand) { w.compact() }},
		{FieldEdits, w.editField},
		{Emptied, w.empty},
		{Witnesses, w.lies},
	} {
		if w.has(f.feature) {
			strikes = append(strikes, f.strike)
		}
	}
	return strikes
}

// target is the leader's host, or any.
func (w *World) target(random *rand.Rand) *Host {
	if leader := w.leader(); leader != nil && random.IntN(2) == 0 {
		return leader.host
	}
	return w.hosts[random.IntN(len(w.hosts))]
}

// nap is how long a host is paused.
func (w *World) nap(random *rand.Rand) time.Duration {
	if random.IntN(10) == 0 {
		return between(random, 0, 20*w.timing.Lease)
	}
	return between(random, 0, 2*w.timing.Lease)
}

// step sets the host's clock.
func (h *Host) step(random *rand.Rand) {
	by := between(random, -2*h.timing.Lease, 2*h.timing.Lease)
	if random.IntN(3) == 0 {
		by = between(random, -24*time.Hour, 24*time.Hour)
	}
	h.clock.adjust(by)
	h.stepped = h.world.now()
	h.world.note("host "+h.name, "its clock is SET by %v", by)
}

// refuse makes the API refuse what the host's process asks.
func (h *Host) refuse(random *rand.Rand) {
	h.refuses = drawRefusing(random)
	d := between(random, h.timing.Lease/10, 2*h.timing.Lease)
	if h.refuses.share < 1 || random.IntN(4) == 0 {
		d = between(random, time.Minute, 10*time.Minute)
	}
	h.setNetwork(Refusing, d)
	h.world.note("host "+h.name, "the API is %v", h.refuses)
}

// compact forgets old versions, and ends some watches, which then begin again.
func (w *World) compact() {
	w.store.compact()
	w.note("someone", "COMPACTS the history, up to version %d", w.store.compacted)
	w.endWatches(nil)
}

// restore brings back an earlier state in which someone held the lease. One that
// nobody held, or that a shorter lease belongs to, would let another lead at
// once: the backup is older than the leader.
func (w *World) restore(random *rand.Rand) {
	current := w.store.current()
	if !current.held() {
		return
	}
	from := max(w.store.restored, len(w.store.history)-100)
	earlier := w.store.history[from+random.IntN(len(w.store.history)-from)]
	if !earlier.held() || earlier.edited || earlier.lease < current.lease || earlier.position == current.position {
		return
	}
	for _, h := range w.hosts {
		if h.process != nil && !h.process.dead() && h.process.sight.state.position <= earlier.position {
			return // who has seen nothing newer cannot know that there was
		}
		if h.process != nil && h.plain && h.process.Coordinated {
			return // a plain lock tells no versions, and an appointment is taken at its word
		}
	}
	w.store.restore(earlier, w.now())
	w.token, w.lastRestore = 0, w.now()
	w.note("someone", "RESTORES a backup: version %s again, held by %q", earlier.ResourceVersion, earlier.Record.HolderIdentity)
	w.endWatches(errRefused)
}

// endWatches ends every watch there is.
func (w *World) endWatches(reason error) {
	for _, h := range w.hosts {
		if h.process == nil || h.process.stream == nil {
			continue
		}
		s := h.process.stream
		select {
		case <-s.ended:
		default:
			s.reason = reason
			close(s.ended)
		}
	}
}

// change is an edit of the Lease by hand; the mutex is held.
func (w *World) change(what string, change func(*state)) {
	s := w.store.edit(w.now(), func(s *state) {
		s.edited = true
		change(s)
		if s.object != nil {
			strategy, preferred := s.object.Spec.Strategy, s.object.Spec.PreferredHolder
			s.object = s.object.DeepCopy()
			s.object.Spec = rl.LeaderElectionRecordToLeaseSpec(&s.Record)
			s.object.Spec.Strategy, s.object.Spec.PreferredHolder = strategy, preferred
		}
	})
	w.lastEdit = w.now()
	w.note("someone", "edits %s by hand, version %s", what, s.ResourceVersion)
}

// editField edits any field.
func (w *World) editField(random *rand.Rand) {
	current := w.store.current()
	if !current.held() || current.emptied || current.author == nil || current.vague {
		return
	}
	kind := random.IntN(8)
	if current.edited && (kind == 4 || kind >= 6) {
		return // without the annotations, or the holder, nobody knows what was edited
	}
	switch kind {
	case 0, 1:
		seconds := 1 + random.IntN(60)
		if random.IntN(5) == 0 {
			seconds = math.MaxInt32
		}
		w.change("the duration", func(s *state) { s.Record.LeaseDurationSeconds = seconds; w.restate(s) })
	case 2:
		w.change("the transitions", func(s *state) {
			s.Record.LeaderTransitions = []int{0, 7, math.MaxInt32 - 1, math.MaxInt32}[random.IntN(4)]
		})
	case 3:
		w.change("the acquire time", func(s *state) {
			s.Record.AcquireTime = metav1.NewTime(s.Record.AcquireTime.Add(between(random, -time.Hour, time.Hour)))
		})
	case 4:
		w.change("the annotations", func(s *state) {
			s.dubious = s.dubious || w.has(Webhook) // which has rewritten what else it is known by
			w.strip(s)
		})
	case 5:
		w.change("the renew time", func(s *state) {
			s.Record.RenewTime = metav1.NewTime(s.Record.RenewTime.Add(between(random, -time.Hour, time.Hour)))
			s.dubious, s.vague = true, true
			w.restate(s)
		})
	case 6:
		w.change("the holder", func(s *state) {
			s.Record.HolderIdentity = "someone"
			s.author = nil
			s.record = w.store.nextRecord()
			s.lease = max(s.lease, whole(s.Record))
			w.restate(s)
		})
	case 7:
		w.change("the duration and the annotations", func(s *state) {
			s.Record.LeaseDurationSeconds += 1 + random.IntN(60) // nothing tells how long it was
			s.dubious = true
			w.strip(s)
		})
	}
}

// whole is the lease that a record's seconds say.
func whole(r rl.LeaderElectionRecord) time.Duration {
	return time.Duration(r.LeaseDurationSeconds) * time.Second
}

// restate makes what is known beside the record what it says after an edit.
func (w *World) restate(s *state) {
	if s.Duration = whole(s.Record); s.Stated.Duration > 0 && s.Stated.Describes(s.Record) {
		s.Duration = s.Stated.Duration
	}
}

// strip removes all annotations.
func (w *World) strip(s *state) {
	s.Stated, s.vague = rl.Statement{}, true
	w.restate(s)
	if s.object != nil {
		s.object = s.object.DeepCopy()
		s.object.Annotations = nil
	}
}

// empty removes the holder, as people do to force another leader. The lease must
// be one that can be told from the second of a release.
func (w *World) empty(random *rand.Rand) {
	s := w.store.current()
	if !s.held() || s.emptied || s.edited || whole(s.Record) <= time.Second {
		return
	}
	// Without annotations, what nobody has led before is a new Lease, for all it says.
	times := random.IntN(3) == 0 && (s.Record.LeaderTransitions > 0 || s.Stated.Mark != "" || s.object != nil && s.object.Annotations[rl.WriteAnnotation] != "")
	w.change("the holder away", func(s *state) {
		s.Record.HolderIdentity = ""
		s.emptied = true
		if times {
			s.Record.RenewTime, s.Record.AcquireTime = metav1.Time{}, metav1.Time{}
		}
		w.restate(s)
	})
}

// rewriting is what a mutating webhook makes of each write.
type rewriting int

const (
	toSeconds rewriting = iota
	toItsTime
	toItsDuration
	toUpper
	toLess
	rewritings
)

func (r rewriting) String() string {
	return [...]string{"the renew time to whole seconds", "the renew time to its own", "the duration to a longer one", "the identity to upper case", "the duration to a shorter one, without annotations"}[r]
}

func drawRewriting(random *rand.Rand) rewriting { return rewriting(random.IntN(int(rewritings))) }

// stored returns the shortest that a term may be where length is what it is
// configured to be: a webhook that stores leases as shorter makes it as much shorter.
func (w *World) stored(length time.Duration) time.Duration {
	if w.has(Webhook) && w.rewrites == toLess {
		return length / 2
	}
	return length
}

// mutate is what a webhook does to a write before it is executed.
func (w *World) mutate(s *state) {
	if !w.has(Webhook) {
		return
	}
	r := &s.Record
	switch w.rewrites {
	case toSeconds:
		r.RenewTime = metav1.NewTime(r.RenewTime.Truncate(time.Second))
	case toItsTime:
		r.RenewTime = metav1.NewTime(w.start.Add(w.elapsed()).Truncate(time.Microsecond))
	case toItsDuration:
		if r.HolderIdentity != "" {
			r.LeaseDurationSeconds += 7
		}
	case toUpper:
		r.HolderIdentity = strings.ToUpper(r.HolderIdentity)
	case toLess:
		if r.HolderIdentity != "" {
			r.LeaseDurationSeconds = (2*r.LeaseDurationSeconds + 2) / 3
		}
		w.strip(s)
	}
	w.restate(s)
	if r.HolderIdentity != "" && (w.rewrites == toItsDuration || w.rewrites == toLess) {
		s.lease = min(s.lease, s.Duration)
	}
	if s.object != nil {
		s.object.Spec = rl.LeaderElectionRecordToLeaseSpec(r)
	}
}
