//go:build unix

package leaderelection

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stoppedChild makes the test binary the process that is stopped.
const stoppedChild = "HOLDFAST_TEST_STOPPED_CHILD"

// TestAStoppedProcessTellsItsWorkWhenItRunsAgain stops a process by a signal for longer
// than its lease. It measures by itself, from the moment at which it runs again, since
// only then it can tell anyone anything. On an idle machine that takes less than 100 ms;
// TestWorkIsToldOfASuspensionWithin100MillisecondsOfItsEnd holds the elector to that.
func TestAStoppedProcessTellsItsWorkWhenItRunsAgain(t *testing.T) {
	if os.Getenv(stoppedChild) != "" {
		leadUntilStopped()
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), stoppedChild+"=1")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	next := func(prefix string) string {
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				return rest
			}
		}
		t.Fatalf("the child ended before it said %q", prefix)
		return ""
	}
	next("leading")
	require.NoError(t, child.Process.Signal(syscall.SIGSTOP))
	stopped := make(chan struct{})
	time.AfterFunc(2*s, func() { // longer than the lease; nothing has to happen meanwhile
		defer close(stopped)
		assert.NoError(t, child.Process.Signal(syscall.SIGCONT))
	})
	<-stopped
	late, err := time.ParseDuration(next("told after "))
	require.NoError(t, err)
	t.Logf("told %v after it ran again", late)
	assert.Less(t, late, 5*s)
	require.NoError(t, child.Wait())
}

// leadUntilStopped leads, and prints how long after the process ran again the
// work was told that its term is over.
func leadUntilStopped() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg := config(newMemory().lock("a"))
	lasting(s, 700*ms, 200*ms)(&cfg)
	told := make(chan time.Time, 1)
	cfg.Callbacks = LeaderCallbacks{
		OnStartedLeading: func(work context.Context) {
			fmt.Println("leading")
			<-work.Done()
			told <- time.Now()
		},
		OnStoppedLeading: func() {},
	}
	le, err := NewLeaderElector(cfg)
	if err != nil {
		panic(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); le.Run(ctx) }()
	var runs time.Time
	for last := time.Now(); runs.IsZero(); last = time.Now() {
		time.Sleep(ms) // the process runs while these are short
		if time.Since(last) > s {
			runs = time.Now()
		}
	}
	fmt.Println("told after", (<-told).Sub(runs))
	<-ended
}
