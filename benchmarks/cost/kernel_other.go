//go:build !linux

package cost

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// There is no laboratory here, and so no crowd that could get a signal.
var readSignal, collectSignal os.Signal = os.Interrupt, os.Kill

func processorTime() (time.Duration, error) {
	return 0, fmt.Errorf("read the processor time used: it is known on linux only, not on %s", runtime.GOOS)
}
