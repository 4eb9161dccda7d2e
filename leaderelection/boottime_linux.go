package leaderelection

import (
	"time"

	"golang.org/x/sys/unix"
)

// systemSinceBoot reads CLOCK_BOOTTIME (clock_gettime(2)), which unlike
// CLOCK_MONOTONIC goes on while the machine is suspended.
func systemSinceBoot() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
