package cost

import (
	"testing"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/assert"
)

func TestBytesAreThoseOfEveryDeviceButLoopback(t *testing.T) {
	received, sent := bytesOf(procfs.NetDev{"lo": {RxBytes: 5000, TxBytes: 5000}, "eth0": {RxBytes: 123456, TxBytes: 654321}, "eth1": {RxBytes: 1, TxBytes: 2}})
	assert.Equal(t, uint64(123457), received)
	assert.Equal(t, uint64(654323), sent)
}

func TestHowBusyTheProcessorsWere(t *testing.T) {
	before := timesOf(procfs.CPUStat{User: 1, System: .5, Idle: 8, Iowait: .5, Guest: .3})
	assert.Equal(t, processors{idle: 8.5, all: 10}, before, "guests are counted under user already")
	after := timesOf(procfs.CPUStat{User: 7, System: 1.5, Idle: 10, Iowait: 1.5, Guest: .3})
	assert.InDelta(t, 0.7, after.busySince(before), 1e-9)
	assert.Zero(t, before.busySince(before))
}
