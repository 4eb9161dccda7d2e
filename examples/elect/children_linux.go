package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// children starts processes and reaps every child that ends, also those that this
// process has inherited: the first process of a container, or a subreaper, becomes the
// parent of what its children leave behind. Package os/exec must not be used beside it,
// since whoever waits first learns how a child has ended.
type children struct {
	mu      sync.Mutex
	started map[int]*child
	// changed holds a token when some child has ended since it was last received.
	changed chan struct{}
	orphans atomic.Int64 // how many inherited children were reaped
	stop    func()
}

// child is a process that was started here, and the leader of its process group.
type child struct {
	pid int
	// ended is closed when the process was reaped; status may be read then.
	ended  chan struct{}
	status syscall.WaitStatus
}

// newChildren makes this process the one that inherits orphans, and reaps until stop
// is called.
func newChildren() (*children, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("asking to inherit orphans (PR_SET_CHILD_SUBREAPER): %w", err)
	}
	c := &children{started: map[int]*child{}, changed: make(chan struct{}, 1)}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c.reap()
			select {
			case <-died:
			case <-over:
				return
			}
		}
	}()
	c.stop = sync.OnceFunc(func() {
		signal.Stop(died)
		close(over)
		<-done
	})
	return c, nil
}

// start runs a program in a process group of its own, with this process's standard
// streams. The kernel kills it if this process dies without having done so.
func (c *children) start(path string, argv, environment []string) (*child, error) {
	type result struct {
		child *child
		err   error
	}
	started := make(chan result, 1)
	go func() {
		// A parent death signal is sent when the thread that has forked ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		child, err := c.fork(path, argv, environment)
		started <- result{child, err}
		if err == nil {
			<-child.ended
		}
	}()
	r := <-started
	return r.child, r.err
}

func (c *children) fork(path string, argv, environment []string) (*child, error) {
	c.mu.Lock() // a child that ends at once is not reaped before it is known
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env:   environment,
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	child := &child{pid: pid, ended: make(chan struct{})}
	c.started[pid] = child
	return child, nil
}

// reap takes in all children that have ended.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil || pid <= 0: // there is none, or none that has ended
			return
		}
		if child := c.started[pid]; child != nil {
			delete(c.started, pid)
			child.status = status
			close(child.ended)
		} else {
			c.orphans.Add(1)
		}
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// signal sends a signal to a child that was started here, unless it was reaped: its
// number may be another's by then.
func (c *children) signal(child *child, s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started[child.pid] == child {
		_ = syscall.Kill(child.pid, s)
	}
}
