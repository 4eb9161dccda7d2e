package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(d time.Duration) instant { return instant{mono: epoch.Add(d), wall: epoch.Add(d)} }

func held(holder, version string, renewed, lease time.Duration) rl.Snapshot {
	return rl.Snapshot{
		Record: rl.LeaderElectionRecord{
			HolderIdentity: holder, LeaseDurationSeconds: rl.WholeSeconds(lease),
			AcquireTime: metav1.NewTime(epoch), RenewTime: metav1.NewTime(epoch.Add(renewed)),
		},
		Duration: lease, ResourceVersion: version,
	}
}

func TestACandidateCountsFromWhenItFirstSawTheRecord(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	first := held("a", "10", 0, 15*s)
	type sight struct {
		state rl.Snapshot
		at    time.Duration
	}
	for _, c := range []struct {
		name  string
		sees  []sight
		since time.Duration // when the last record was first seen
		opens time.Duration // how long after it may be taken over
		base  string        // resourceVersion that a write is based on
	}{
		{"a fresh look", []sight{{first, s}}, s, 15 * s, "10"},
		{"the same record again", []sight{{first, s}, {first, 5 * s}}, s, 15 * s, "10"},
		{"a renewal", []sight{{first, s}, {held("a", "11", 2*s, 15*s), 3 * s}}, 3 * s, 15 * s, "11"},
		{"labels edited", []sight{{first, s}, {held("a", "12", 0, 15*s), 4 * s}}, s, 15 * s, "12"},
		{"an older state arriving late", []sight{{held("a", "11", 2*s, 15*s), 3 * s}, {first, 4 * s}}, 3 * s, 15 * s, "11"},
		{"a release", []sight{{first, s}, {held("", "11", 2*s, s), 3 * s}}, 3 * s, 0, "11"},
		{"no Lease ever", []sight{{rl.Snapshot{}, s}}, s, 0, ""},
		{"the Lease of a holder deleted", []sight{{first, s}, {rl.Snapshot{}, 3 * s}}, 3 * s, 15 * s, ""},
		{"a released Lease deleted, which someone may have taken unseen", []sight{{held("", "11", 0, s), s}, {rl.Snapshot{}, 3 * s}}, 3 * s, 15 * s, ""},
		{"a duration of zero", []sight{{held("a", "10", 0, 0), s}}, s, 15 * s, "10"},
		{"a negative duration", []sight{{held("a", "10", 0, -s), s}}, s, 15 * s, "10"},
		{"a shorter lease than ours", []sight{{held("a", "10", 0, 3*s), s}}, s, 3 * s, "10"},
		{"a far longer one", []sight{{held("a", "10", 0, time.Hour), s}}, s, time.Hour, "10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var o observation
			for _, sight := range c.sees {
				o, _ = o.next(sight.state, after(sight.at), of)
			}
			assert.Equal(t, c.since, o.seen.mono.Sub(epoch))
			assert.Equal(t, c.opens, o.claimableAfter())
			assert.Equal(t, c.base, o.snapshot.ResourceVersion)
		})
	}
}

// TestAMarkThatHasChangedIsAnotherWrite: admission may cut a renew time to whole
// seconds, so that two renewals have one and the same.
func TestAMarkThatHasChangedIsAnotherWrite(t *testing.T) {
	of := timing{500 * ms, 350 * ms, 100 * ms}
	cut := func(holder, version, mark string, sent time.Duration) rl.Snapshot {
		state := held(holder, version, 0, of.lease)
		state.Stated = rl.Statement{Mark: mark, Holder: holder, RenewTime: epoch.Add(sent), Duration: of.lease}
		return state
	}
	o, _ := observation{}.next(cut("a", "10", "m.1", 100*ms), after(100*ms), of)
	o, news := o.next(cut("a", "11", "m.2", 200*ms), after(200*ms), of)
	assert.True(t, news)
	assert.Equal(t, 200*ms, o.seen.mono.Sub(epoch), "the renewal")

	edited := cut("a", "12", "m.2", 200*ms)
	edited.Record.LeaderTransitions = 7
	o, _ = o.next(edited, after(300*ms), of)
	assert.Equal(t, 200*ms, o.seen.mono.Sub(epoch), "the edit of the renewal")

	released := cut("", "13", "m.3", 400*ms)
	released.Record.LeaseDurationSeconds = 1
	o, _ = o.next(released, after(400*ms), of)
	assert.Zero(t, o.claimableAfter(), "released")
}

// Nobody who edits by hand makes a mark, though one may take it away.
func TestAMarkThatIsNewIsAnotherWrite(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	bare, marked := held("a", "10", 0, 15*s), held("a", "11", 0, 15*s)
	marked.Stated.Mark = "m"
	var o observation
	o, _ = o.next(bare, after(s), of)
	o, _ = o.next(marked, after(5*s), of)
	assert.Equal(t, after(5*s), o.seen, "admission has cut its time to that of the one before")
	bare.ResourceVersion = "12"
	o, _ = o.next(bare, after(9*s), of)
	assert.Equal(t, after(5*s), o.seen, "the annotations were edited away")
}

// Who finds the present to be older than what was seen knows that a backup was
// restored, and not who has led before that.
func TestAWriteThatABackupBringsBackIsWaitedForAnew(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	var o observation
	o, _ = o.next(held("a", "12", 0, 15*s), after(s), of) // a label was edited on 10
	o, changed := o.after(held("a", "10", 0, 15*s), after(14*s), of)
	assert.True(t, changed)
	assert.Equal(t, after(14*s), o.seen)
	assert.Equal(t, 15*s, o.claimableAfter())
}

func TestAnAppointmentThatABackupBringsBackIsNone(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("b", "", 0, 15*s) })
		appointment := held("a", "", 0, 15*s)
		appointment.Record.LeaderTransitions = 7
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) { c.Coordinated = true })
		sleep(s)
		m.edit(func(state *rl.Snapshot) { state.Record.RenewTime = metav1.Now() })
		sleep(s)
		m.mu.Lock()
		m.version = 50
		m.set(appointment)
		m.mu.Unlock()
		sleep(20 * s)
		assert.Empty(t, a.runs(), "b may not have heard of it, and by then its own time is over")
	})
}

func TestRecordsThatDifferInOneFieldAreNotTheSame(t *testing.T) {
	one := held("a", "10", s, 15*s)
	one.Record.LeaderTransitions, one.Record.PreferredHolder = 3, "b"
	require.True(t, sameRecord(one, one))
	for name, change := range map[string]func(*rl.Snapshot){
		"no Lease":    func(other *rl.Snapshot) { other.ResourceVersion = "" },
		"duration":    func(other *rl.Snapshot) { other.Duration++ },
		"holder":      func(other *rl.Snapshot) { other.Record.HolderIdentity = "c" },
		"seconds":     func(other *rl.Snapshot) { other.Record.LeaseDurationSeconds++ },
		"transitions": func(other *rl.Snapshot) { other.Record.LeaderTransitions++ },
		"strategy":    func(other *rl.Snapshot) { other.Record.Strategy = "OldestEmulationVersion" },
		"preferred":   func(other *rl.Snapshot) { other.Record.PreferredHolder = "" },
		"acquired":    func(other *rl.Snapshot) { other.Record.AcquireTime = metav1.NewTime(epoch.Add(ms)) },
		"renewed":     func(other *rl.Snapshot) { other.Record.RenewTime = metav1.NewTime(epoch.Add(2 * s)) },
	} {
		other := one
		change(&other)
		assert.False(t, sameRecord(one, other), name)
		assert.False(t, sameRecord(other, one), name)
	}
	version := one
	version.ResourceVersion = "11"
	assert.True(t, sameRecord(one, version), "the version is no part of what it says")
}

func TestARecordWithOneTimeOnlyWasHeld(t *testing.T) {
	empty := held("", "10", 0, 15*s)
	for name, change := range map[string]func(*rl.LeaderElectionRecord){
		"both":          func(*rl.LeaderElectionRecord) {},
		"acquired only": func(r *rl.LeaderElectionRecord) { r.RenewTime = metav1.Time{} },
		"renewed only":  func(r *rl.LeaderElectionRecord) { r.AcquireTime = metav1.Time{} },
	} {
		state := empty
		change(&state.Record)
		assert.True(t, emptied(state), name)
	}
	never := empty
	never.Record.RenewTime, never.Record.AcquireTime = metav1.Time{}, metav1.Time{}
	assert.False(t, emptied(never))
	never.Record.LeaderTransitions = 1
	assert.True(t, emptied(never), "somebody has led before")
}

func TestWhatABackupBringsBackIsWaitedForAsLongAsAnyoneMayHaveHeldIt(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	for _, longer := range []time.Duration{3 * s, time.Minute} {
		var o observation
		o, _ = o.next(held("a", "20", s, longer), after(s), of)
		o, changed := o.after(held("", "10", 0, s), after(2*s), of)
		assert.True(t, changed)
		assert.Equal(t, max(15*s, longer), o.claimableAfter(), "a lease of %v", longer)
	}
}
