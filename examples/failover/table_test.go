package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheTableSaysWhatTheFiguresAre(t *testing.T) {
	base := figures{scenario: "kill", fleet: "holdfast", fault: at(1), holder: "one", leaseEnd: at(7)}
	with := func(change func(*figures)) figures {
		f := base
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		figures figures
		want    row
	}{
		"before the fault": {
			figures{scenario: "kill", fleet: "holdfast"},
			row{"kill", "holdfast", "not played", "-", "-", "-"},
		},
		"a takeover": {
			with(func(f *figures) {
				f.ended, f.heir, f.takeover, f.leaderless = true, "two", at(7.5), 6500*time.Millisecond
			}),
			row{"kill", "holdfast", "ran out", "0.50 s after the lease ended", "6.50 s", "never"},
		},
		"a takeover that came too soon": {
			with(func(f *figures) { f.ended, f.heir, f.takeover, f.overlap = true, "two", at(6.5), time.Second }),
			row{"kill", "holdfast", "ran out", "0.50 s before the lease ended", "never", "1.00 s"},
		},
		"a handover": {
			with(func(f *figures) {
				f.scenario, f.ended, f.heir, f.takeover, f.leaderless = "handover", true, "two", at(1.0625), 62500*time.Microsecond
			}),
			row{"handover", "holdfast", "released", "62 ms after SIGTERM", "62 ms", "never"},
		},
		"a dead leader without an heir": {
			with(func(f *figures) { f.ended, f.leaderless = true, 20*time.Second }),
			row{"kill", "holdfast", "ran out", "nobody yet", "20.0 s", "never"},
		},
		"a lease lost": {
			with(func(f *figures) { f.lost, f.leaderless = true, time.Second }),
			row{"kill", "holdfast", "LOST", "nobody yet", "1.00 s", "never"},
		},
		"a lease kept": {
			with(func(f *figures) { f.leaseEnd = at(14) }),
			row{"kill", "holdfast", "kept", "-", "never", "never"},
		},
		"a lease kept until the interruption": {
			base,
			row{"kill", "holdfast", "kept so far", "-", "never", "never"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, rowOf(c.figures, 6*time.Second))
		})
	}
}

func TestColourIsForTerminalsOnly(t *testing.T) {
	assert.False(t, bool(paintFor(&bytes.Buffer{})))
	assert.Equal(t, "text", paint(false).fault("text"))
	assert.Equal(t, "\x1b[1;31mtext\x1b[0m", paint(true).fault("text"))
}
