package node

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Process is one in a node, held by the kernel's handle: its number may be used
// again, the handle never means another process.
type Process struct {
	pid  int
	fd   int
	done chan struct{}
	died time.Time // written before done is closed
	quit *os.File
	left chan struct{} // closed when nobody watches any more
}

func openProcess(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: pidfd_open: %w", pid, err)
	}
	watched, quit, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	p := &Process{pid: pid, fd: fd, done: make(chan struct{}), quit: quit, left: make(chan struct{})}
	go func() {
		defer close(p.left)
		defer watched.Close()
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(watched.Fd())}}
		for {
			_, err := unix.Poll(polled, -1)
			switch {
			case errors.Is(err, unix.EINTR):
			case polled[0].Revents != 0:
				p.died = time.Now()
				close(p.done)
				return
			default:
				return // closed
			}
		}
	}()
	return p, nil
}

// Pid is the process's number in the laboratory.
func (p *Process) Pid() int { return p.pid }

// Done is closed when the process has ended: the last of its threads runs no more.
func (p *Process) Done() <-chan struct{} { return p.done }

// Died is when the end was seen, a moment after it; zero while the process lives.
func (p *Process) Died() time.Time {
	select {
	case <-p.done:
		return p.died
	default:
		return time.Time{}
	}
}

// Signal sends s to the process. On one that has ended it does nothing.
func (p *Process) Signal(s syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := unix.PidfdSendSignal(p.fd, s, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %v to process %d: %w", s, p.pid, err)
	}
	return nil
}

// Kill kills the process and waits for its end.
func (p *Process) Kill() error {
	if err := p.Signal(unix.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Close lets go of the process, which goes on. Done is not closed by it. Nothing may be
// called after it, nor at the same time.
func (p *Process) Close() error {
	err := p.quit.Close()
	<-p.left
	return errors.Join(err, unix.Close(p.fd))
}
