package resourcelock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWholeSecondsRoundUp(t *testing.T) {
	for given, want := range map[time.Duration]int{
		-time.Second: 0, 0: 0, 1: 1, 900 * time.Millisecond: 1, time.Second: 1, time.Second + 1: 2,
		1500 * time.Millisecond: 2, 15 * time.Second: 15, 1<<63 - 1: 1<<31 - 1,
	} {
		assert.Equal(t, want, WholeSeconds(given), "%v", given)
	}
}

// FuzzDurationAnnotation: whatever an annotation says, a record's lease is
// either its whole seconds or a duration that they are the rounding of.
func FuzzDurationAnnotation(f *testing.F) {
	f.Add(`{"holder":"me","renewTime":"2026-01-02T03:04:06.678901Z","duration":"1.5s"}`)
	f.Add(`{"holder":"me","renewTime":"2026-01-02T03:04:06.678901Z","duration":"-1.5s"}`)
	f.Add(`{"duration":"1h"}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, annotation string) {
		record := recordOf("me", 2*time.Second)
		got := durationOf(record, annotation)
		if got <= time.Second || got > 2*time.Second {
			t.Fatalf("%q made a lease of 2 s %v long", annotation, got)
		}
	})
}
