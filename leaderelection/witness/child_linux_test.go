package witness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	actAs = actAsChild
	if os.Getenv(childMode) == "thread" {
		runtime.LockOSThread() // the first thread is for main alone
	}
}

const (
	childFile      = "HOLDFAST_TEST_WITNESS_FILE"
	childTestimony = "HOLDFAST_TEST_WITNESS_TESTIMONY"
	busyThreads    = 4
)

// actAsChild is the main function of a child. What it has to say is one line.
func actAsChild(mode string) {
	leave := func() string {
		testimony, err := Process{}.Leave(context.Background())
		if err != nil {
			return "error: " + err.Error()
		}
		return testimony
	}
	answer := func(testimony string) string {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, err := Process{}.Await(ctx, testimony)
		if errors.Is(err, ErrNoProof) {
			return "no proof: " + err.Error()
		}
		return fmt.Sprint("proven: ", err)
	}
	switch mode {
	case "idle":
	case "holder":
		fmt.Println(leave())
	case "busy":
		work()
		fmt.Println(leave())
	case "parent": // of a process that lives on
		testimony := leave()
		if _, err := syscall.ForkExec(os.Args[0], os.Args[:1], &syscall.ProcAttr{Env: idle(), Files: []uintptr{0}}); err != nil {
			panic(err)
		}
		fmt.Println(testimony)
	case "exec": // becomes another program in the same process
		fmt.Println(leave())
		_, _ = os.Stdin.Read(make([]byte, 1))
		panic(syscall.Exec(os.Args[0], os.Args[:1], idle()))
	case "successor":
		fmt.Println(answer(os.Getenv(childTestimony)))
	case "poor": // in files
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}); err != nil {
			panic(err)
		}
		fmt.Println(leave(), "|", answer(os.Getenv(childTestimony)))
	case "thread": // leaves a testimony from a thread in a network namespace of its own
		left := make(chan string)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread is not for others
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				panic(err)
			}
			left <- leave()
			select {}
		}()
		fmt.Println(<-left)
	default:
		panic(mode)
	}
	// Until the test has ended, whatever becomes of it.
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// idle is the environment of a child that does nothing but wait. Package syscall passes
// on what it is given, and of a name that is there twice a process takes the first: this
// one's own mode, so that each would begin the next, without end.
func idle() []string {
	if err := os.Setenv(childMode, "idle"); err != nil {
		panic(err)
	}
	return os.Environ()
}

// counters are in a file that is mapped into both processes.
func counters(path string) *[busyThreads]uint64 {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	defer func() { _ = file.Close() }()
	memory, err := unix.Mmap(int(file.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*[busyThreads]uint64)(unsafe.Pointer(&memory[0]))
}

// work counts, in threads of their own, for as long as the process lives.
func work() {
	shared := counters(os.Getenv(childFile))
	for i := range shared {
		go func() {
			runtime.LockOSThread()
			for {
				atomic.AddUint64(&shared[i], 1)
			}
		}()
	}
}

func counted(shared *[busyThreads]uint64) (all [busyThreads]uint64) {
	for i := range shared {
		all[i] = atomic.LoadUint64(&shared[i])
	}
	return all
}

// child is a process that a test has started. It ends when its standard input does.
type child struct {
	*exec.Cmd
	in   io.WriteCloser
	said string
}

func start(t *testing.T, mode string, change ...func(*exec.Cmd)) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0])}
	c.Env = append(os.Environ(), childMode+"="+mode)
	for _, f := range change {
		f(c.Cmd)
	}
	var err error
	c.in, err = c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	c.Stderr = os.Stderr
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.in.Close()
		_ = c.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	c.said = strings.TrimSuffix(line, "\n")
	return c
}

func (c *child) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, c.Process.Signal(s))
}

func with(key, value string) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Env = append(c.Env, key+"="+value) }
}
