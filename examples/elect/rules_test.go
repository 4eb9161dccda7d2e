package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/leaderelection"
)

func TestWhenAProgramIsKilled(t *testing.T) {
	asked := time.Unix(1000, 0)
	const grace, workStop = 10 * time.Second, 4 * time.Second
	for name, c := range map[string]struct {
		taken bool
		ends  time.Duration // of the term, after it was asked
		want  time.Duration
	}{
		"renewed meanwhile: by its grace":           {false, 12 * time.Second, grace},
		"not renewed: before the lease ends":        {false, 2 * time.Second, 2*time.Second + 3*time.Second},
		"lost, and nothing else: the same":          {false, 0, 3 * time.Second},
		"another leads: at once":                    {true, 12 * time.Second, 0},
		"the term was over before it was asked too": {false, -3 * time.Second, 0},
	} {
		assert.Equal(t, asked.Add(c.want), killAt(asked, grace, c.taken, asked.Add(c.ends), workStop), name)
	}
}

func TestWhatLeavesNothingOfALease(t *testing.T) {
	leaves := map[leaderelection.Reason]bool{
		leaderelection.ReasonReleased: true, leaderelection.ReasonResigned: true, leaderelection.ReasonCancelled: true, leaderelection.ReasonRenewDeadline: true,
	}
	for _, reason := range leaderelection.Reasons() {
		assert.Equal(t, !leaves[reason], takenAway(fmt.Errorf("why: %w", &leaderelection.TermEndedError{Reason: reason})), reason)
	}
	assert.False(t, takenAway(nil))
	assert.False(t, takenAway(errors.New("in doubt")))
}

func TestTheEnvironmentSaysWhatTermItIs(t *testing.T) {
	inherited := []string{"PATH=/bin", variableToken + "=old", "HOLDFAST_TERMINAL=kept", "EMPTY=", "ODD"}
	got := environment(inherited, "shop/carts", "carts-0_1", time.Unix(1, 500).In(time.FixedZone("", 3600)), "42")
	assert.Equal(t, []string{
		"PATH=/bin", "HOLDFAST_TERMINAL=kept", "EMPTY=", "ODD",
		"HOLDFAST_LEASE=shop/carts", "HOLDFAST_HOLDER=carts-0_1", "HOLDFAST_TERM=1970-01-01T00:00:01.0000005Z", "HOLDFAST_FENCING_TOKEN=42",
	}, got)
	assert.Equal(t, variableToken+"=old", inherited[1], "what was inherited is left alone")
}

func TestALineOfTheTableOfProcesses(t *testing.T) {
	for line, want := range map[string]process{
		"12 (sh) S 1 12 12 0 -1":           {pid: 12, parent: 1},
		"13 (a) Z 99) (b) Z 7 13 13 0 -1":  {pid: 13, parent: 7, dead: true},
		"14 (x (y) z) R 3 14 14 0 -1 4194": {pid: 14, parent: 3},
	} {
		got, err := parseStat([]byte(line))
		require.NoError(t, err, line)
		assert.Equal(t, want, got, line)
	}
	for _, line := range []string{"", "12", "12 sh S 1", "x (sh) S 1", "12 (sh) S", "12 (sh) S x", ") ("} {
		_, err := parseStat([]byte(line))
		assert.Error(t, err, line)
	}
}

func TestWhoDescends(t *testing.T) {
	table := []process{
		{pid: 1}, {pid: 2, parent: 1}, {pid: 3, parent: 2, dead: true}, {pid: 4, parent: 3},
		{pid: 5, parent: 0}, {pid: 6, parent: 5}, // kubectl exec
	}
	assert.ElementsMatch(t, []int{2, 4}, descendants(1, table))
	assert.Empty(t, descendants(4, table))
	// A table that was read while numbers were used anew may have a circle.
	assert.ElementsMatch(t, []int{8}, descendants(7, []process{{pid: 7, parent: 8}, {pid: 8, parent: 7}}))
}

func TestWhoLeadsAsFarAsIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		status leaderelection.Status
		want   string
	}{
		"itself":                    {leaderelection.Status{Leading: true, Holder: "me"}, "me"},
		"itself, in doubt":          {leaderelection.Status{InDoubt: true, Holder: "me"}, ""},
		"itself, not any more":      {leaderelection.Status{Holder: "me"}, ""},
		"another":                   {leaderelection.Status{Holder: "other"}, "other"},
		"another whose lease ended": {leaderelection.Status{Holder: "other", Leaderless: time.Second}, ""},
		"nobody":                    {leaderelection.Status{}, ""},
	} {
		assert.Equal(t, c.want, holderNow(c.status, "me"), name)
	}
	assert.Equal(t, "carts-0", nameOf("carts-0_6d7c_1234"))
	assert.Equal(t, "carts-0", nameOf("carts-0"))
	assert.Empty(t, nameOf(""))
}
