package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Where a renewal on a dead connection fails later than the elector waits for it, a
// short lease is lost.
func TestADeadConnectionIsDroppedUnderARequestOfTheElector(t *testing.T) {
	for _, timing := range []Timing{Short, Long} {
		assert.Less(t, RelaySilence(timing)+2*retransmission, timing.RenewDeadline/2, "%v", timing)
	}
	assert.Equal(t, 300*time.Millisecond, RelaySilence(Short))
	assert.Equal(t, time.Second, RelaySilence(Long), "the default of -silence")
	assert.Equal(t, 250*time.Millisecond, relayHedge(Long), "the default of -hedge")
}
