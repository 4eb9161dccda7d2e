package main

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A leader that hands its lease over contends again in the same process.
func TestAProgramThatWasHandedOverRunsAgain(t *testing.T) {
	s := newStage(t)
	runs := script(`trap "exit 0" TERM; echo runs=$$; while :; do sleep 0.02; done`)
	flags := func(identity, priority string) []string {
		return []string{"-identity=" + identity, "-leader-elect-priority=" + priority, "-leader-elect-handover-after=3s"}
	}
	less := s.elect(with(flags("less", "1"), runs)...)
	less.says(`^runs=\d+$`)
	more := s.elect(with(flags("more", "9"), runs)...)
	more.says(`^runs=\d+$`)
	more.signal(syscall.SIGTERM)
	assert.Zero(t, more.exits())
	less.saysOften(`^runs=\d+$`, 2)
	less.signal(syscall.SIGTERM)
	assert.Zero(t, less.exits())
}
