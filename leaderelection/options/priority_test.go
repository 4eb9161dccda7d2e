package options_test

import (
	"flag"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAPriorityIsReadAsItIsWritten(t *testing.T) {
	o := named()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o.AddFlags(flags)
	priority := flags.Lookup("leader-elect-priority").Value
	assert.Empty(t, priority.String())
	election, err := o.Election()
	require.NoError(t, err)
	assert.Nil(t, election.Priority, "not set: none is asked")
	for _, right := range []string{"0", "7", "10"} {
		require.NoError(t, priority.Set(right))
		assert.Equal(t, right, priority.String())
	}
	for _, wrong := range []string{"-1", "11", "high", "1.5"} {
		assert.ErrorContains(t, priority.Set(wrong), `"`+wrong+`": must be a number from 0 to 10`)
	}
	election, err = o.Election()
	require.NoError(t, err)
	assert.Equal(t, 10, election.Priority())
	require.NoError(t, priority.Set(""))
	assert.Nil(t, o.Priority)
}

func TestWhoLeadsNextIsChecked(t *testing.T) {
	for text, change := range map[string]func(priority *int, wait, after *time.Duration){
		"priority 11: must be from 0 to 10":               func(p *int, _, _ *time.Duration) { *p = 11 },
		"priority -1: must be from 0 to 10":               func(p *int, _, _ *time.Duration) { *p = -1 },
		"successorWait -1s: must not be negative":         func(_ *int, wait, _ *time.Duration) { *wait = -time.Second },
		"handoverAfter 14s: must be 0, for never, or at":  func(_ *int, _, after *time.Duration) { *after = 14 * time.Second },
		"handoverAfter -1s: must be 0, for never, or at ": func(_ *int, _, after *time.Duration) { *after = -time.Second },
	} {
		o := named()
		o.Priority = new(int)
		require.NoError(t, o.Validate())
		change(o.Priority, &o.SuccessorWait.Duration, &o.HandoverAfter.Duration)
		assert.ErrorContains(t, o.Validate(), text)
	}
}
