package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// edited returns state after changes to its record alone, as by hand, by
// admission or by a peer that leaves annotations in place.
func edited(state rl.Snapshot, changes ...func(*rl.LeaderElectionRecord)) rl.Snapshot {
	for _, change := range changes {
		change(&state.Record)
	}
	return state
}

func holder(name string) func(*rl.LeaderElectionRecord) {
	return func(r *rl.LeaderElectionRecord) { r.HolderIdentity = name }
}

func renewed(by time.Duration) func(*rl.LeaderElectionRecord) {
	return func(r *rl.LeaderElectionRecord) { r.RenewTime = metav1.NewTime(r.RenewTime.Add(by)) }
}

func duration(seconds int) func(*rl.LeaderElectionRecord) {
	return func(r *rl.LeaderElectionRecord) { r.LeaseDurationSeconds = seconds }
}

func transitions(n int) func(*rl.LeaderElectionRecord) {
	return func(r *rl.LeaderElectionRecord) { r.LeaderTransitions = n }
}

func acquired(by time.Duration) func(*rl.LeaderElectionRecord) {
	return func(r *rl.LeaderElectionRecord) { r.AcquireTime = metav1.NewTime(r.AcquireTime.Add(by)) }
}

func cutTo(unit time.Duration) func(*rl.LeaderElectionRecord) {
	return func(r *rl.LeaderElectionRecord) {
		r.AcquireTime = metav1.NewTime(r.AcquireTime.Truncate(unit))
		r.RenewTime = metav1.NewTime(r.RenewTime.Truncate(unit))
	}
}

func roundedTo(unit time.Duration) func(*rl.LeaderElectionRecord) {
	return func(r *rl.LeaderElectionRecord) {
		r.AcquireTime = metav1.NewTime(r.AcquireTime.Round(unit))
		r.RenewTime = metav1.NewTime(r.RenewTime.Round(unit))
	}
}

// stateOf returns the state that an entry leaves behind.
func stateOf(entry rl.Entry) rl.Snapshot {
	return rl.Snapshot{Record: entry.Record, Duration: entry.Duration, Stated: entry.Statement(), ResourceVersion: "7"}
}

// unmarked returns state without its mark.
func unmarked(state rl.Snapshot) rl.Snapshot {
	state.Stated = rl.Statement{}
	return state
}

func TestWhoseWriteAStateIs(t *testing.T) {
	const lease = 1500 * ms
	now := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	writes := newSentWrites("me")
	first := claim("me", rl.Snapshot{}, lease, now, 0.5)
	forgotten := stateOf(writes.add(first, lease, after(0)))
	writes.disown()
	known := stateOf(writes.add(renewal(first, first, lease, now.Add(s)), lease, after(s)))
	writes.settle(known)
	pending := stateOf(writes.add(renewal(first, first, lease, now.Add(2*s)), lease, after(2*s)))

	second := newSentWrites("me") // a second process of our identity, at the same moment
	same := stateOf(second.add(pending.Record, lease, after(2*s)))
	peer := newSentWrites("peer")
	taken := stateOf(peer.add(claim("peer", pending, lease, now.Add(9*s), 0.1), lease, after(9*s)))

	for _, c := range []struct {
		name  string
		state rl.Snapshot
		want  whose
		sent  time.Duration
	}{
		{"no Lease", rl.Snapshot{}, nobodys, 0},

		{"known", known, ours, s},
		{"known, another duration", edited(known, duration(3600)), ours, s},
		{"known, other transitions", edited(known, transitions(77)), ours, s},
		{"known, another acquire time", edited(known, acquired(time.Hour)), ours, s},
		{"known, preferred holder", edited(known, func(r *rl.LeaderElectionRecord) { r.PreferredHolder = "peer" }), ours, s},
		{"known, emptied by hand", edited(known, holder("")), others, 0},
		{"known, given away by hand", edited(known, holder("peer")), others, 0},
		{"known, released by a peer of our name that keeps annotations", edited(known, holder(""), renewed(s)), others, 0},
		{"known, renewed by a peer of our name that keeps annotations", edited(known, renewed(s)), imposters, 0},
		{"known, taken by a peer that keeps annotations", edited(known, holder("peer"), renewed(s)), others, 0},
		{"known, without its mark", unmarked(known), ours, s},

		{"pending", pending, ours, 2 * s},
		{"pending, another renew time by admission", edited(pending, renewed(time.Hour)), ours, 2 * s},
		{"pending, another duration by admission", edited(pending, duration(60)), ours, 2 * s},
		{"pending, another case by admission", edited(pending, holder("ME")), ours, 2 * s},
		{"pending, taken by a peer that keeps annotations", edited(pending, holder("peer"), renewed(9*s)), others, 0},
		{"pending, taken by a peer whose name differs in case", edited(pending, holder("ME"), renewed(9*s)), others, 0},
		{"pending, emptied by hand", edited(pending, holder("")), others, 0},

		{"forgotten", forgotten, oursOnce, 0},
		{"forgotten, renewed by a peer of our name that keeps annotations", edited(forgotten, renewed(9*s)), imposters, 0},
		{"forgotten, taken by a peer that keeps annotations", edited(forgotten, holder("peer"), renewed(9*s)), others, 0},

		{"the same record of a second process of our name", same, imposters, 0},
		{"another holder", taken, others, 0},
		{"another holder that keeps our mark", edited(pending, holder("peer")), others, 0},

		{"no mark, known", unmarked(known), ours, s},
		{"no mark, pending", unmarked(pending), ours, 2 * s},
		{"no mark, cut to microseconds", unmarked(edited(pending, cutTo(time.Microsecond))), ours, 2 * s},
		{"no mark, cut to milliseconds", unmarked(edited(pending, cutTo(ms))), ours, 2 * s},
		{"no mark, rounded to milliseconds", unmarked(edited(pending, roundedTo(ms))), ours, 2 * s},
		{"no mark, rounded to seconds", unmarked(edited(pending, roundedTo(s))), ours, 2 * s},
		{"no mark, in milliseconds, another renew time", unmarked(edited(pending, renewed(5*ms), cutTo(ms))), imposters, 0},
		{"no mark, another duration", unmarked(edited(pending, duration(60))), ours, 2 * s},
		{"no mark, other transitions", unmarked(edited(pending, transitions(77))), ours, 2 * s},
		{"no mark, another acquire time", unmarked(edited(pending, acquired(ms))), imposters, 0},
		{"no mark, another renew time", unmarked(edited(pending, renewed(time.Minute))), imposters, 0},
		{"no mark, another holder", unmarked(edited(pending, holder("peer"))), others, 0},
		{"no mark, released", unmarked(edited(pending, holder(""), renewed(s))), others, 0},

		{"an older mark of someone else, in place", rl.Snapshot{Record: pending.Record, Stated: taken.Stated, ResourceVersion: "7"}, ours, 2 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, sent := writes.judge(c.state)
			assert.Equal(t, c.want, got)
			if c.want == ours {
				assert.Equal(t, after(c.sent), sent)
			}
		})
	}

	assert.Equal(t, 2, first.LeaseDurationSeconds, "rounded up")
	writes.settle(known)
	_, found := writes.sentAt(pending)
	assert.False(t, found, "a write based on a state that is gone can succeed no more")
}

func TestOfTwoWritesThatALockCannotTellApartTheEarlierCounts(t *testing.T) {
	writes := newSentWrites("me")
	first := claim("me", rl.Snapshot{}, 15*s, epoch, 0)
	writes.add(first, 15*s, after(0))
	second := stateOf(writes.add(renewal(first, first, 15*s, epoch.Add(500*ms)), 15*s, after(500*ms)))
	sent, found := writes.sentAt(unmarked(edited(second, cutTo(time.Second))))
	assert.True(t, found)
	assert.Equal(t, after(0), sent)
}

func TestHowAdmissionStoresAnIdentityIsLearnt(t *testing.T) {
	writes := newSentWrites("me")
	entry := writes.add(claim("me", rl.Snapshot{}, 15*s, epoch, 0), 15*s, after(0))
	writes.confirm(edited(stateOf(entry), holder("cluster:me"), renewed(time.Hour)), entry.Mark)
	next := stateOf(writes.add(renewal(entry.Record, entry.Record, 15*s, epoch.Add(2*s)), 15*s, after(2*s)))
	verdict, _ := writes.judge(edited(next, holder("cluster:me"), renewed(time.Hour)))
	assert.Equal(t, ours, verdict, "its answer is lost")
	verdict, _ = writes.judge(edited(stateOf(entry), holder("cluster:me"), renewed(time.Hour)))
	assert.Equal(t, ours, verdict, "it has not arrived")
	verdict, _ = writes.judge(edited(stateOf(entry), holder("cluster:me"), renewed(2*time.Hour)))
	assert.Equal(t, imposters, verdict, "someone renews who is called the same")
}

func TestOfAnEarlierTermNothingIsResumedAndAfterAReleaseNothingIsOurs(t *testing.T) {
	writes := newSentWrites("me")
	state := stateOf(writes.add(claim("me", rl.Snapshot{}, 15*s, epoch, 0), 15*s, after(0)))
	_, found := writes.sentAt(state)
	require.True(t, found)
	writes.endTerm()
	_, found = writes.sentAt(state)
	assert.False(t, found)
	assert.True(t, writes.wrote(state), "nobody else has led since")

	former := writes.disown()
	assert.False(t, writes.wrote(state), "a release is on its way")
	assert.True(t, former.wrote(state))
	writes.confirm(state, state.Stated.Mark)
	assert.False(t, writes.wrote(state), "an answer that comes late changes nothing")
}

func TestWritesThatFailAreNotRememberedForEver(t *testing.T) {
	writes := newSentWrites("me")
	first := stateOf(writes.add(claim("me", rl.Snapshot{}, 15*s, epoch, 0), 15*s, after(0)))
	writes.settle(first)
	var early, last rl.Snapshot
	for i := range 100_000 {
		last = stateOf(writes.add(renewal(first.Record, first.Record, 15*s, epoch.Add(time.Duration(i)*s)), 15*s, after(time.Duration(i)*s)))
		if i == 0 {
			early = last
		}
	}
	assert.LessOrEqual(t, len(writes.writes), mostRemembered)
	for state, want := range map[*rl.Snapshot]whose{&first: ours, &last: ours, &early: oursOnce} {
		verdict, _ := writes.judge(*state)
		assert.Equal(t, want, verdict)
	}
}

func TestTheOldestWriteIsForgottenUnlessItIsKnown(t *testing.T) {
	writes := newSentWrites("me")
	base := held("other", "10", 0, 15*s)
	var all []rl.Snapshot
	for i := range mostRemembered + 1 {
		all = append(all, stateOf(writes.add(claim("me", base, 15*s, epoch.Add(time.Duration(i)*s), 0), 15*s, after(time.Duration(i)*s))))
	}
	for i, state := range all {
		verdict, _ := writes.judge(state)
		assert.Equal(t, i > 0, verdict == ours, "write %d", i)
	}
}

func TestAnothersWriteSettlesNothing(t *testing.T) {
	writes := newSentWrites("me")
	own := stateOf(writes.add(claim("me", rl.Snapshot{}, 15*s, epoch, 0), 15*s, after(0)))
	writes.settle(held("other", "11", s, 15*s))
	_, found := writes.sentAt(own)
	assert.True(t, found)
}

func TestClaimsOfTwoProcessesAtOneMomentAreTwoRecords(t *testing.T) {
	at := epoch.Add(17 * ms) // on a clock of 1 ms
	one, two := claim("me", rl.Snapshot{}, 15*s, at, 0.25), claim("me", rl.Snapshot{}, 15*s, at, 0.75)
	assert.NotEqual(t, one.AcquireTime, two.AcquireTime)
	assert.Equal(t, one.RenewTime, two.RenewTime)
	assert.Less(t, one.AcquireTime.Sub(at).Abs(), ms)
}

func TestMoreTransitionsThanALeaseCanCountDoNotKeepAnyoneFromLeading(t *testing.T) {
	base := edited(held("other", "10", 0, 15*s), transitions(1<<31-1))
	assert.Equal(t, 1<<31-1, claim("me", base, 15*s, epoch, 0).LeaderTransitions)
}

// What has been seen after a write of ours is the end of what was before: a backup that
// brings it back may be of long ago.
func TestAnOwnWriteThatWasOvertakenStandsNoLonger(t *testing.T) {
	const lease = 15 * s
	at := func(version string, entry rl.Entry) rl.Snapshot {
		state := stateOf(entry)
		state.ResourceVersion = version
		return state
	}
	sent := func(writes *sentWrites, d time.Duration) rl.Entry {
		return writes.add(claim("me", rl.Snapshot{}, lease, after(d).wall, 0), lease, after(d))
	}

	writes := newSentWrites("me")
	first := sent(writes, 0)
	writes.confirm(at("7", first), first.Mark)
	second := sent(writes, 5*s) // its answer is lost
	writes.saw(at("7", first))
	assert.True(t, writes.stands(at("7", first), after(30*s), lease), "nobody has written over it")
	third := sent(writes, 20*s)
	writes.saw(at("9", second))
	assert.False(t, writes.stands(at("7", first), after(21*s), lease))
	assert.True(t, writes.stands(at("9", second), after(60*s), lease))
	assert.True(t, writes.wrote(at("11", third)), "it may be under way")

	relabelled := at("10", second)
	writes.saw(relabelled)
	assert.True(t, writes.stands(relabelled, after(19*s), lease))
	assert.True(t, writes.stands(at("9", second), after(19*s), lease), "within a lease of its sending nobody else can have led")
	assert.False(t, writes.stands(at("9", second), after(21*s), lease))
	writes.saw(at("9", second))
	assert.False(t, writes.stands(at("9", second), after(21*s), lease))

	other := newSentWrites("other")
	writes.saw(at("12", sent(other, 40*s)))
	assert.True(t, writes.wrote(at("9", second)), "that of others is for supersede")
}
