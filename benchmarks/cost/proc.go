package cost

import "github.com/prometheus/procfs"

// processors is the time that all processors of the machine have spent, in seconds.
type processors struct{ idle, all float64 }

// readProcessors reads it from /proc/stat.
func readProcessors() (processors, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return processors{}, err
	}
	stat, err := fs.Stat()
	return timesOf(stat.CPUTotal), err
}

// timesOf leaves out guests, who are counted under user already.
func timesOf(c procfs.CPUStat) processors {
	idle := c.Idle + c.Iowait
	return processors{idle: idle, all: idle + c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal}
}

// busySince returns the share of the time since before in which processors
// were not idle, 0 to 1.
func (p processors) busySince(before processors) float64 {
	if p.all <= before.all || p.idle < before.idle {
		return 0
	}
	return 1 - (p.idle-before.idle)/(p.all-before.all)
}

// bytesOf returns the bytes received and sent by all network devices but loopback.
func bytesOf(devices procfs.NetDev) (received, sent uint64) {
	for name, d := range devices {
		if name != "lo" {
			received, sent = received+d.RxBytes, sent+d.TxBytes
		}
	}
	return received, sent
}
