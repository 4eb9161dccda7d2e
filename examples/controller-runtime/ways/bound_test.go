package ways

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestACallToTheLockLeavesTimeToStop(t *testing.T) {
	for _, c := range []struct{ lease, deadline, retry, bound time.Duration }{
		{15 * time.Second, 10 * time.Second, 2 * time.Second, 1500 * time.Millisecond},
		{3 * time.Second, 2 * time.Second, 500 * time.Millisecond, 250 * time.Millisecond},
		{60 * time.Second, 10 * time.Second, 2 * time.Second, 5 * time.Second},
		{3 * time.Second, 2 * time.Second, 1500 * time.Millisecond, time.Second}, // nothing is left
	} {
		assert.Equal(t, c.bound, callBound(c.lease, c.deadline, c.retry), c)
	}
}
