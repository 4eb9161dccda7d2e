package dialer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestIdleConnectionsAreClosedAtMostOncePerMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f idleClosing
		assert.True(t, f.due(time.Second), "the first time")
		time.Sleep(999 * ms) // virtual
		assert.False(t, f.due(time.Second))
		time.Sleep(ms)
		assert.True(t, f.due(time.Second), "the moment is over")
		assert.False(t, f.due(time.Second), "and begins anew")
	})
}
