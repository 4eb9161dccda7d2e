package socket

import (
	"math"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestKeepaliveFitsIntoSilence(t *testing.T) {
	for silence, want := range map[time.Duration]net.KeepAliveConfig{
		100 * time.Millisecond:  {Enable: true, Idle: time.Second, Interval: time.Second, Count: 1},
		1250 * time.Millisecond: {Enable: true, Idle: time.Second, Interval: time.Second, Count: 1},
		3 * time.Second:         {Enable: true, Idle: time.Second, Interval: time.Second, Count: 2},
		15 * time.Second:        {Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 5},
		time.Minute:             {Enable: true, Idle: 20 * time.Second, Interval: 10 * time.Second, Count: 4},
	} {
		assert.Equal(t, want, KeepAlive(silence), "silence %v", silence)
	}
}

func TestSocketBoundsAreRoundedUp(t *testing.T) {
	assert.Equal(t, 1250, whole(1250*time.Millisecond, time.Millisecond))
	assert.Equal(t, 2, whole(1250*time.Millisecond, time.Second))
	assert.Equal(t, 1, whole(time.Nanosecond, time.Millisecond), "zero would mean no bound")
	assert.Equal(t, math.MaxInt32, whole(math.MaxInt64, time.Millisecond))
}
