package cost

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The signals that a crowd answers with a reading, the second after a
// collection.
var readSignal, collectSignal os.Signal = unix.SIGUSR1, unix.SIGUSR2

// processorTime returns the time that this process has had a processor.
func processorTime() (time.Duration, error) {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("read the processor time used: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
