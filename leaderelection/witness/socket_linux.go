package witness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-go/holdfast/internal/death"
)

// queue is how many connections the kernel accepts and holds for a socket of which
// nobody reads. Candidates that come when it is full try the name instead.
const queue = 128

// heldSocket is the socket of this process. It is opened once and never closed: the
// end of the process closes it.
type heldSocket struct {
	sync.Mutex
	testimony *death.ProcessTestimony
}

var ownSocket heldSocket

func (h *heldSocket) has(name string) bool {
	h.Lock()
	defer h.Unlock()
	return h.testimony != nil && h.testimony.Name == name
}

func (h *heldSocket) leave() (death.ProcessTestimony, error) {
	h.Lock()
	defer h.Unlock()
	if h.testimony != nil {
		return *h.testimony, nil
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return death.ProcessTestimony{}, err
	}
	name := hex.EncodeToString(random[:])
	where, err := listen(name)
	if err != nil {
		return death.ProcessTestimony{}, err
	}
	h.testimony = &death.ProcessTestimony{Name: name, Place: where}
	return *h.testimony, nil
}

// address is in the abstract namespace, which the @ stands for. Names are of one
// type of socket: whoever tries one must try it with a stream too.
func address(name string) *unix.SockaddrUnix { return &unix.SockaddrUnix{Name: "@holdfast-" + name} }

// open returns a socket of the calling thread's network namespace. A program that
// this process executes does not inherit it, nor does what it becomes by execve.
func open() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	return fd, nil
}

// listen opens the socket that stays open as long as the process runs, and returns
// where it is. The kernel accepts connections by itself, so nothing has to run here.
func listen(name string) (where death.Place, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, err := open()
	if err != nil {
		return death.Place{}, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	if where, err = placeOf(fd); err != nil {
		return death.Place{}, err
	}
	if err = unix.Bind(fd, address(name)); err != nil {
		return death.Place{}, fmt.Errorf("bind: %w", err)
	}
	if err = unix.Listen(fd, queue); err != nil {
		return death.Place{}, fmt.Errorf("listen: %w", err)
	}
	return where, nil
}

// tryBind reports whether the name is free, and where that was tried.
func tryBind(name string) (free bool, where death.Place, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, err := open()
	if err != nil {
		return false, death.Place{}, err
	}
	defer func() { _ = unix.Close(fd) }()
	if where, err = placeOf(fd); err != nil {
		return false, death.Place{}, err
	}
	err = unix.Bind(fd, address(name))
	if errors.Is(err, unix.EADDRINUSE) {
		return false, where, nil
	}
	if err != nil {
		return false, death.Place{}, fmt.Errorf("bind: %w", err)
	}
	return true, where, nil
}

// awaitEnd connects to the socket of that name and returns when the connection has
// ended, or ctx has, and how long it lasted. That is no time at all where there is
// no connection to be had.
func awaitEnd(ctx context.Context, name string) time.Duration {
	fd, err := open()
	if err != nil {
		return 0
	}
	conn := os.NewFile(uintptr(fd), name)
	defer func() { _ = conn.Close() }()
	if err := unix.Connect(fd, address(name)); err != nil {
		return 0
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	start := time.Now()
	_, _ = conn.Read(make([]byte, 1))
	return time.Since(start)
}
