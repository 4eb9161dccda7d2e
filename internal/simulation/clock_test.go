package simulation

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

func TestAClockRunsAtItsRateAndItsTimersByIt(t *testing.T) {
	for _, ppm := range []int64{500_000, 860_000, 999_999, million, 1_250_000} {
		synctest.Test(t, func(t *testing.T) {
			shows := time.Date(1999, 1, 2, 3, 4, 5, 6, time.UTC)
			c := newClock(shows, ppm)
			time.Sleep(1234567 * time.Nanosecond)
			for _, d := range []time.Duration{1, 999, time.Millisecond + 1, 15 * time.Second, 100 * time.Hour} {
				began, truly := c.Now(), time.Now()
				<-c.NewTimer(d).C()
				assert.GreaterOrEqual(t, c.Since(began), d, "a timer is never early")
				assert.InDelta(t, float64(d), float64(c.Since(began)), 2, "nor late by more than it must")
				assert.InDelta(t, float64(d)*million/float64(ppm), float64(time.Since(truly)), 4)
			}
		})
	}
}

func TestAClockThatIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(time.Now(), million)
		c.pausable = true
		before := c.Now()
		for _, by := range []time.Duration{time.Hour, -3 * time.Hour} {
			c.adjust(by)
			assert.Equal(t, time.Duration(0), c.Since(before), "no monotonic time has passed")
		}
		assert.Equal(t, -2*time.Hour, c.Now().Round(0).Sub(before.Round(0)))
		assert.Equal(t, time.Duration(0), c.fastest(before))
		c.adjust(5 * time.Hour)
		assert.Equal(t, 3*time.Hour, c.fastest(before))
	})
}

func TestAStoppedProcessFindsItsTimersDue(t *testing.T) {
	for name, suspended := range map[string]bool{"stopped": false, "suspended": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClock(time.Now(), million)
				c.pausable = true
				began, boot := c.Now(), c.SinceBoot()
				early, late := c.NewTimer(2*time.Second), c.NewTimer(20*time.Second)
				time.Sleep(time.Second)
				c.pause(10*time.Second, suspended)
				<-early.C()
				if suspended {
					assert.Equal(t, 12*time.Second, time.Since(c.start), "the timer goes on after waking")
					assert.Equal(t, 2*time.Second, c.Since(began))
				} else {
					assert.Equal(t, 11*time.Second, time.Since(c.start), "the timer is due at waking")
					assert.Equal(t, 11*time.Second, c.Since(began))
				}
				assert.Equal(t, time.Since(c.start), c.SinceBoot()-boot)
				assert.Equal(t, time.Since(c.start), c.fastest(began))
				<-late.C()
				assert.Equal(t, 20*time.Second, c.Since(began))
			})
		})
	}
}
