package cost

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const devices = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    5000      10    0    0    0     0          0         0     5000      10    0    0    0     0       0          0
  eth0: 123456     789    0    0    0     0          0         0   654321     987    0    0    0     0       0          0
  eth1:     1       1    0    0    0     0          0         0        2       1    0    0    0     0       0          0
`

func TestBytesAreThoseOfEveryDeviceButLoopback(t *testing.T) {
	received, sent, err := parseDevices(devices)
	require.NoError(t, err)
	assert.Equal(t, uint64(123457), received)
	assert.Equal(t, uint64(654323), sent)

	for _, bad := range []string{"", "eth0: 1 2 3\n", "eth0: x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"} {
		_, _, err := parseDevices(bad)
		assert.Error(t, err, "%q", bad)
	}
}

func TestConnectionsAreFoundByTheirColumnsNames(t *testing.T) {
	opened, established, err := parseTCP(`Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs
Tcp: 1 200 120000 -1 17 2 3 4 5 6
Udp: InDatagrams
Udp: 0
`)
	require.NoError(t, err)
	assert.Equal(t, uint64(17), opened)
	assert.Equal(t, uint64(5), established)

	for _, bad := range []string{"", "Tcp: ActiveOpens CurrEstab\n", "Tcp: ActiveOpens CurrEstab\nTcp: 1\n", "Tcp: ActiveOpens CurrEstab\nTcp: 1 x\n", "Tcp: ActiveOpens\nTcp: 1\n"} {
		_, _, err := parseTCP(bad)
		assert.Error(t, err, "%q", bad)
	}
}

func TestResidentMemoryIsInBytes(t *testing.T) {
	resident, err := parseResident("Name:\tcost\nVmHWM:\t   9 kB\nVmRSS:\t   20480 kB\n")
	require.NoError(t, err)
	assert.Equal(t, uint64(20<<20), resident)
	for _, bad := range []string{"", "VmRSS:\t12\n", "VmRSS:\tx kB\n"} {
		_, err := parseResident(bad)
		assert.Error(t, err, "%q", bad)
	}
}

func TestHowBusyTheProcessorsWere(t *testing.T) {
	before, err := parseProcessors("cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 1 2 3\n")
	require.NoError(t, err)
	assert.Equal(t, processors{idle: 850, all: 1000}, before, "guests are counted under user already")
	after, err := parseProcessors("cpu  700 0 150 1000 150 0 0 0 30 0\n")
	require.NoError(t, err)
	assert.InDelta(t, 0.7, after.busySince(before), 1e-9)
	assert.Zero(t, before.busySince(before))
	for _, bad := range []string{"", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 x 7 8\n"} {
		_, err := parseProcessors(bad)
		assert.Error(t, err, "%q", bad)
	}
}
