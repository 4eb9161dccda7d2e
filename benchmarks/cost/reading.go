package cost

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/procfs"
)

// Reading is what a crowd says of itself at one moment.
type Reading struct {
	// Since is how long the crowd's process has run.
	Since time.Duration `json:"since"`
	// Contenders is how many have begun, Leading how many lead now, Lost how many
	// terms have ended unasked so far, Broken why the first that could not begin
	// did not.
	Contenders int    `json:"contenders"`
	Leading    int    `json:"leading"`
	Lost       int    `json:"lost"`
	Broken     string `json:"broken,omitempty"`
	// Sent counts requests to the API, and Answered the contenders that have had
	// two answers or more. Both are zero where requests are not counted.
	Sent     uint64 `json:"sent"`
	Answered int    `json:"answered"`

	CPU      time.Duration `json:"cpu"`
	Resident uint64        `json:"resident"`
	// Heap and Stacks are of live memory; zero unless a collection was asked for.
	Heap   uint64 `json:"heap,omitempty"`
	Stacks uint64 `json:"stacks,omitempty"`

	// Network is of the crowd's whole host.
	Network Network `json:"network"`
}

// Network is what a host's kernel has counted.
type Network struct {
	ReceivedBytes, SentBytes uint64
	// Opened counts the TCP connections opened from here so far, Established is
	// how many are open now.
	Opened, Established uint64
}

// measureSelf fills in what the kernel and the runtime know of this process.
// collect asks for Heap and Stacks, and for the collection they need.
func measureSelf(r *Reading, collect bool) error {
	if collect {
		runtime.GC()
		debug.FreeOSMemory() // collects once more: pools keep what they hold over one collection
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		r.Heap, r.Stacks = m.HeapAlloc, m.StackInuse
	}
	used, err := processorTime()
	if err != nil {
		return err
	}
	r.CPU = used
	self, err := procfs.Self()
	if err != nil {
		return fmt.Errorf("measure this process: %w", err)
	}
	status, errStatus := self.NewStatus()
	devices, errDevices := self.NetDev()
	snmp, errSNMP := self.Snmp()
	if err := errors.Join(errStatus, errDevices, errSNMP); err != nil {
		return fmt.Errorf("measure this process: %w", err)
	}
	if snmp.ActiveOpens == nil || snmp.CurrEstab == nil {
		return errors.New("measure this process: its counters of TCP have no ActiveOpens or no CurrEstab")
	}
	r.Resident = status.VmRSS
	r.Network.ReceivedBytes, r.Network.SentBytes = bytesOf(devices)
	r.Network.Opened, r.Network.Established = uint64(*snmp.ActiveOpens), uint64(*snmp.CurrEstab)
	return nil
}
