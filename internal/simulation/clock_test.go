package simulation

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
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
