package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var zero = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// at is a moment of the made-up histories below.
func at(seconds float64) time.Time {
	return zero.Add(time.Duration(seconds * float64(time.Second)))
}

// renewal is a committed renewal of a lease of 6 s.
func renewal(who string, s float64) event {
	return event{at: at(s), contender: who, kind: renewed, leaseEnd: at(s + 6)}
}

func happened(who string, k kind, s float64) event {
	return event{at: at(s), contender: who, kind: k}
}

func TestFiguresFollowFromEvents(t *testing.T) {
	for name, c := range map[string]struct {
		events  []event
		now     float64
		want    figures
		kept    bool
		settled bool
	}{
		"nothing has happened yet": {
			events: []event{renewal("one", 0), happened("one", leading, 0)},
			now:    3,
			want:   figures{holder: "one", lastBefore: at(0), leaseEnd: at(6)},
		},
		"a dead leader's lease ends at its last renewal plus its duration": {
			events: []event{
				renewal("one", 0), happened("one", leading, 0), renewal("one", 2),
				happened("", fault, 3), happened("one", died, 3),
				renewal("two", 8.125), happened("two", leading, 8.25), happened("", concluded, 10),
			},
			now: 99,
			want: figures{
				fault: at(3), holder: "one", ended: true, lastBefore: at(2), leaseEnd: at(8),
				heir: "two", takeover: at(8.25), leaderless: 5250 * time.Millisecond,
			},
			settled: true,
		},
		"a renewal that was under way when its sender died counts": {
			events: []event{
				renewal("one", 0), happened("one", leading, 0),
				happened("", fault, 1), happened("one", died, 1), renewal("one", 1.5), happened("two", leading, 8),
			},
			now: 8,
			want: figures{
				fault: at(1), holder: "one", ended: true, lastBefore: at(0), renewal: at(1.5), leaseEnd: at(7.5),
				heir: "two", takeover: at(8), leaderless: 7 * time.Second,
			},
			settled: true,
		},
		"a kept lease is settled once it has been renewed for a lease": {
			events: []event{
				renewal("one", 0), happened("one", leading, 0), happened("", fault, 1), renewal("one", 2), renewal("one", 8),
			},
			now:     9,
			want:    figures{fault: at(1), holder: "one", lastBefore: at(0), renewal: at(2), leaseEnd: at(14)},
			kept:    true,
			settled: true,
		},
		"a leader that was never renewed again is not settled": {
			events: []event{renewal("one", 0), happened("one", leading, 0), happened("", fault, 1)},
			now:    30,
			want:   figures{fault: at(1), holder: "one", lastBefore: at(0), leaseEnd: at(6)},
			kept:   true,
		},
		"a lease is lost when its holder's work stops unasked, though the holder may lead again": {
			events: []event{
				renewal("one", 0), happened("one", leading, 0), happened("", fault, 1), happened("one", stopped, 4),
				renewal("one-2", 10), happened("one-2", leading, 10),
			},
			now: 11,
			want: figures{
				fault: at(1), holder: "one", lost: true, lastBefore: at(0), leaseEnd: at(6),
				heir: "one-2", takeover: at(10), leaderless: 6 * time.Second,
			},
			settled: true,
		},
		"work that stops when asked is no loss": {
			events: []event{
				renewal("one", 0), happened("one", leading, 0), happened("", fault, 1), happened("one", stopping, 1),
				happened("one", stopped, 1.5), happened("", released, 1.5), happened("two", leading, 2),
			},
			now: 3,
			want: figures{
				fault: at(1), holder: "one", ended: true, lastBefore: at(0), leaseEnd: at(6),
				heir: "two", takeover: at(2), leaderless: 500 * time.Millisecond,
			},
			settled: true,
		},
		"two that work at once overlap": {
			events: []event{
				renewal("one", 0), happened("one", leading, 0), happened("", fault, 1),
				happened("two", leading, 6), happened("one", stopped, 8.5), happened("", concluded, 10),
			},
			now: 99,
			want: figures{
				fault: at(1), holder: "one", lost: true, lastBefore: at(0), leaseEnd: at(6),
				heir: "two", takeover: at(6), overlap: 2500 * time.Millisecond,
			},
			settled: true,
		},
		"what comes after the conclusion is no part of it": {
			events: []event{
				renewal("one", 0), happened("one", leading, 0), happened("", fault, 1), renewal("one", 8),
				happened("", concluded, 9), happened("one", stopped, 9.1),
			},
			now:     99,
			want:    figures{fault: at(1), holder: "one", lastBefore: at(0), renewal: at(8), leaseEnd: at(14)},
			kept:    true,
			settled: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluate("", "", c.events, at(c.now))
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.kept, got.kept(), "kept")
			assert.Equal(t, c.settled, got.settled(6*time.Second), "settled")
		})
	}
}
