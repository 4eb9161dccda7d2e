package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// contend runs a live stage until the test ends.
func contend(t *testing.T) *live {
	t.Helper()
	return contendWith(t, short().timing)
}

func contendWith(t *testing.T, configured timing) *live {
	t.Helper()
	l, err := openLive(configured)
	require.NoError(t, err)
	l.stage.restart = short().restart
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- l.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ran)
		assert.NoError(t, l.close())
	})
	return l
}

// await waits until the board shows something of holdfast, client-go and the
// endpoints, and returns the fleets.
func (l *live) await(t *testing.T, what string, enough func(ours, theirs fleetView) bool) (ours, theirs fleetView) {
	t.Helper()
	deadline := time.After(40 * time.Second)
	for {
		v, changed := l.board.view()
		if enough(v.Fleets[0], v.Fleets[1]) {
			return v.Fleets[0], v.Fleets[1]
		}
		select {
		case <-changed:
		case <-deadline:
			require.FailNow(t, "not seen: "+what, "%+v", v)
		}
	}
}

// settled is when everyone is connected and each fleet has a leader.
func settled(all ...fleetView) bool {
	for _, f := range all {
		if len(f.Leaders) != 1 {
			return false
		}
		for _, c := range f.Contenders {
			if c.State != "free" && (!c.Ready || len(c.Links) == 0) {
				return false
			}
		}
	}
	return true
}

func TestTheBoardShowsWhatFaultsDo(t *testing.T) {
	t.Parallel()
	l := contend(t)
	_, theirs := l.await(t, "two leaders", func(o, c fleetView) bool { return settled(o, c) })
	for _, c := range theirs.Contenders[:2] { // ours may have hedged already, where the machine is slow
		assert.Contains(t, c.Links, "a", "all begin on endpoint a")
	}

	require.NoError(t, l.strikeEndpoint("a", "silence"))
	_, theirs = l.await(t, "client-go loses its lease", func(_, c fleetView) bool { return c.Lost > 0 })
	assert.NotEmpty(t, theirs.Gaps)
	ours, _ := l.await(t, "our leader leaves endpoint a for good", func(o, _ fleetView) bool {
		for _, c := range o.Contenders {
			if c.State == "leads" {
				return c.Links["a"] == 0 && len(c.Links) > 0
			}
		}
		return false
	})
	assert.Zero(t, ours.Lost)
	assert.Zero(t, ours.Leaderless)
	l.await(t, "client-go leads again", func(_, c fleetView) bool { return len(c.Leaders) == 1 })
	require.NoError(t, l.strikeEndpoint("a", "mend"))

	// A killed leader comes back under another name, and stands by.
	leader := slotOf(ours.Leaders[0])
	require.NoError(t, l.strikeContender("holdfast", leader, "kill"))
	assert.ErrorIs(t, l.strikeContender("holdfast", leader, "kill"), errNotAgain)
	ours, _ = l.await(t, "the other leads, the killed one is back", func(o, _ fleetView) bool {
		return settled(o) && slotOf(o.Leaders[0]) != leader
	})
	assert.Zero(t, ours.Lost, "it was killed, which is no loss")

	// A host that is cut off stays so when its process is started again.
	leader = slotOf(ours.Leaders[0])
	require.NoError(t, l.strikeContender("holdfast", leader, "cut"))
	cutOff := func(o fleetView) contenderView {
		for _, c := range o.Contenders {
			if c.Slot == leader {
				return c
			}
		}
		return contenderView{}
	}
	ours, _ = l.await(t, "the other leads, the first starts in vain", func(o, _ fleetView) bool {
		return len(o.Leaders) == 1 && slotOf(o.Leaders[0]) != leader && len(cutOff(o).Runs) > 1
	})
	assert.Equal(t, 1, ours.Lost)
	assert.True(t, cutOff(ours).Cut)
	require.NoError(t, l.strikeContender("holdfast", leader, "mend"))
	l.await(t, "it is back", func(o, _ fleetView) bool { return !cutOff(o).Cut && settled(o) })
}

func TestTheOneThatIsPreferredIsHandedTheLease(t *testing.T) {
	t.Parallel()
	l := contend(t)
	ours, theirs := l.await(t, "two leaders", func(o, c fleetView) bool { return settled(o, c) })
	other := liveSlots[0]
	if slotOf(ours.Leaders[0]) == other {
		other = liveSlots[1]
	}
	assert.ErrorIs(t, l.strikeContender("client-go", other, "prefer"), errUnknown)
	assert.ErrorIs(t, l.strikeContender("holdfast", "four", "prefer"), errUnknown)
	assert.ErrorIs(t, l.strikeContender("holdfast", "three", "prefer"), errNotAgain, "nobody is there")
	require.NoError(t, l.strikeContender("holdfast", other, "prefer"))
	assert.ErrorIs(t, l.strikeContender("holdfast", other, "prefer"), errNotAgain)
	lost, leader := ours.Lost, theirs.Leaders
	ours, theirs = l.await(t, "the one that is preferred leads", func(o, _ fleetView) bool {
		return len(o.Leaders) == 1 && slotOf(o.Leaders[0]) == other
	})
	assert.Equal(t, lost, ours.Lost, "it is handed over, which is no loss")
	assert.Empty(t, ours.Overlaps)
	assert.Equal(t, leader, theirs.Leaders, "nothing is asked of client-go")
}

// The durations of most controllers: a machine that is slow for a moment is slow for a
// small part of them.
var usual = timing{lease: 15 * time.Second, renew: 10 * time.Second, retry: 2 * time.Second}

func TestARolloutHasOneChangeOfLeaderHere(t *testing.T) {
	t.Parallel()
	l := contendWith(t, usual)
	ours, _ := l.await(t, "two leaders", func(o, c fleetView) bool { return settled(o, c) })
	lost := ours.Lost
	var theirs fleetView
	for range 3 { // a machine that stands still for a second costs a change
		require.NoError(t, l.strikeEverything("rollout"))
		ours, theirs = l.await(t, "both are rolled out", func(o, c fleetView) bool {
			return o.Rollout != nil && !o.Rollout.Lasts && c.Rollout != nil && !c.Rollout.Lasts
		})
		if ours.Rollout.Changes == 1 {
			break
		}
	}
	assert.Equal(t, 1, ours.Rollout.Changes)
	assert.Len(t, ours.Leaders, 1)
	assert.Equal(t, lost, ours.Lost, "nothing is lost by that")
	assert.Contains(t, []int{1, 2}, theirs.Rollout.Changes, "chance decides")
	for _, f := range []fleetView{ours, theirs} {
		assert.Empty(t, f.Overlaps)
		free := 0
		for _, c := range f.Contenders {
			if c.State == "free" {
				free++
				continue
			}
			assert.Equal(t, 2, c.Revision)
			assert.True(t, c.Ready)
		}
		assert.Equal(t, 1, free)
	}
}

func TestThereIsOneRolloutAtATime(t *testing.T) {
	l := quietLive(t)
	l.rolling = true
	err := l.strikeEverything("rollout")
	assert.ErrorIs(t, err, errNotAgain)
	assert.ErrorContains(t, err, "under way")
}

func TestARolloutWaitsForWhatIsKilledMeanwhile(t *testing.T) {
	t.Parallel()
	l := contend(t)
	l.await(t, "two leaders", func(o, c fleetView) bool { return settled(o, c) })
	require.NoError(t, l.strikeEverything("rollout"))
	l.await(t, "a new one runs", func(o, _ fleetView) bool { return o.Contenders[2].Ready })
	// Whether it is the one that is told to stop just now is left to chance.
	err := l.strikeContender("holdfast", "one", "kill")
	if err != nil {
		assert.ErrorIs(t, err, errNotAgain)
	}
	ours, _ := l.await(t, "both are rolled out", func(o, c fleetView) bool {
		return o.Rollout != nil && !o.Rollout.Lasts && c.Rollout != nil && !c.Rollout.Lasts
	})
	for _, c := range ours.Contenders {
		assert.True(t, c.State == "free" || c.Revision == 2, "%+v", c)
	}
	// A killed one that is new is started again.
	require.NoError(t, l.strikeContender("holdfast", "three", "kill"))
	l.await(t, "it is back", func(o, _ fleetView) bool {
		return settled(o) && o.Contenders[2].Name == "three-2" && o.Contenders[2].Revision == 2
	})
}

func TestWhereNoEndpointIsWellTheAddressNamesAll(t *testing.T) {
	l := quietLive(t)
	assert.Equal(t, []string{"a"}, namedBy(l), "all begin on endpoint a")
	require.NoError(t, l.strikeEndpoint("b", "freeze"))
	assert.Equal(t, []string{"a", "c"}, namedBy(l))
	require.NoError(t, l.strikeEndpoint("a", "silence"))
	require.NoError(t, l.strikeEndpoint("c", "silence"))
	assert.Equal(t, []string{"a", "b", "c"}, namedBy(l))
	require.NoError(t, l.strikeEndpoint("b", "mend"))
	assert.Equal(t, []string{"b"}, namedBy(l))
}

// namedBy returns what the address names.
func namedBy(l *live) (names []string) {
	for _, e := range l.stage.relay.Named() {
		names = append(names, e.Name())
	}
	return names
}

func TestASlowAddressNamesWhatBrokeForAWhile(t *testing.T) {
	l := quietLive(t)
	require.NoError(t, l.setAddress("slow"))
	assert.ErrorIs(t, l.setAddress("slow"), errNotAgain)
	struck := time.Now()
	require.NoError(t, l.strikeEndpoint("a", "silence"))
	assert.Equal(t, []string{"a", "b", "c"}, namedBy(l))
	l.notice(struck.Add(addressLag - time.Second))
	assert.Equal(t, []string{"a", "b", "c"}, namedBy(l))
	l.notice(time.Now().Add(addressLag))
	assert.Equal(t, []string{"b", "c"}, namedBy(l))

	require.NoError(t, l.strikeEndpoint("b", "freeze"))
	assert.Equal(t, []string{"b", "c"}, namedBy(l))
	require.NoError(t, l.setAddress("prompt"))
	assert.Equal(t, []string{"c"}, namedBy(l), "what is broken is noticed at once")
	assert.ErrorIs(t, l.setAddress("prompt"), errNotAgain)
	assert.ErrorIs(t, l.setAddress("lost"), errUnknown)
	require.NoError(t, l.strikeEndpoint("a", "mend"))
	assert.Equal(t, []string{"a", "c"}, namedBy(l))

	// What is mended in time is named on.
	require.NoError(t, l.setAddress("slow"))
	require.NoError(t, l.strikeEndpoint("a", "silence"))
	require.NoError(t, l.strikeEndpoint("a", "mend"))
	l.notice(time.Now().Add(addressLag))
	assert.Equal(t, []string{"a", "c"}, namedBy(l))
}

func TestTheIncidentIsPlayedAndMended(t *testing.T) {
	l := contend(t)
	assert.ErrorIs(t, l.strikeEverything("incident"), errNotAgain, "nobody leads yet")
	assert.ErrorIs(t, l.strikeEverything("mend"), errNotAgain, "nothing is broken")
	assert.ErrorIs(t, l.strikeEverything("flood"), errUnknown)
	ours, _ := l.await(t, "two leaders", func(o, c fleetView) bool { return settled(o, c) })
	leader := slotOf(ours.Leaders[0])
	require.NoError(t, l.setAddress("slow"))
	require.NoError(t, l.strikeEverything("incident"))
	for _, f := range fleets {
		assert.True(t, l.cut[f.name+"/one"], "the leader's host is off the network")
		assert.False(t, l.cut[f.name+"/two"])
	}
	assert.True(t, l.faulty["a"], "what all began on is silent")
	// A standby that has hedged is connected to a second one, on a slow machine.
	assert.LessOrEqual(t, len(l.faulty), mostSilenced, "one is well")
	assert.Equal(t, []string{"a", "b", "c"}, namedBy(l), "and named still")

	ours, theirs := l.await(t, "our standby leads, client-go's does not", func(o, c fleetView) bool {
		return len(o.Leaders) == 1 && slotOf(o.Leaders[0]) != leader && len(c.Leaders) == 0
	})
	assert.Equal(t, 1, ours.Lost)
	assert.NotEmpty(t, theirs.Gaps, "nobody leads there")
	assert.ErrorIs(t, l.strikeEverything("incident"), errNotAgain, "client-go has no leader to strike")
	require.NoError(t, l.strikeEverything("mend"))
	l.await(t, "all are well again", func(o, c fleetView) bool { return settled(o, c) })
	v, _ := l.board.view()
	for _, e := range v.Endpoints {
		assert.Empty(t, e.Fault)
		assert.True(t, e.Named[len(e.Named)-1].To == 0, "named")
	}
}

func TestAProcessStartedOnAHostThatIsCutOffIsCutOff(t *testing.T) {
	l := quietLive(t)
	require.NoError(t, l.strikeContender("holdfast", "one", "cut"))
	host, err := l.stage.relay.Host("holdfast/one-2")
	require.NoError(t, err)
	l.stage.spawned(&process{fleet: fleets[0], name: "one-2", host: host})
	client, err := rest.HTTPClientFor(host.Config())
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	get := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "GET", host.Config().Host, nil)
		require.NoError(t, err)
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	assert.ErrorIs(t, get(300*time.Millisecond), context.DeadlineExceeded)
	require.NoError(t, l.strikeContender("holdfast", "one", "mend"))
	assert.NoError(t, get(20*time.Second))
}

func TestOneThatIsStartedInThePlaceOfAnotherIsNumbered(t *testing.T) {
	assert.Equal(t, "one-2", nextName("one"))
	assert.Equal(t, "one-10", nextName("one-9"))
	assert.Equal(t, "one", slotOf("one-9"))
	assert.Equal(t, "one", slotOf("one"))
}
