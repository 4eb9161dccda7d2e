package program

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlagsCheckWhatTheyAreGiven(t *testing.T) {
	var who []string
	var scales []int
	var n int
	var window, pause, longest time.Duration
	parse := func(line string) error {
		flags := NewFlags("test", io.Discard)
		Flag(flags, &who, "who", "one", "", Some(Among("one", "two")))
		Flag(flags, &scales, "scales", "", "", List(Number(2)))
		Int(flags, &n, "n", 3, 1, "")
		Duration(flags, &window, "window", time.Minute, 1, "")
		Duration(flags, &pause, "pause", 0, 0, "")
		Duration(flags, &longest, "longest", time.Minute, time.Second, "")
		return Parse(flags, strings.Fields(line))
	}
	require.NoError(t, parse(""))
	assert.Equal(t, []string{"one"}, who)
	assert.Empty(t, scales)
	assert.Equal(t, 3, n)
	require.NoError(t, parse("-who two,one,two -scales 10,2 -n 1 -pause 1s -scales 3,2"))
	assert.Equal(t, []string{"two", "one"}, who)
	assert.Equal(t, []int{3, 2}, scales)
	assert.Equal(t, time.Second, pause)
	for line, says := range map[string]string{
		"-who three":     `"three" must be of [one two]`,
		"-who ,":         `"" must be of [one two]`,
		"-scales 2,1":    "at least 2",
		"-scales x":      `"x"`,
		"-n 0":           `"0" for flag -n`,
		"-window 0s":     "must be positive",
		"-pause -1s":     "must not be negative",
		"-longest 100ms": "at least 1s",
		"more":           `"more": there are only flags`,
	} {
		assert.ErrorContains(t, parse(line), says, line)
	}
}
