package lab

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// onOwnThread starts f on an operating system thread that no other goroutine
// ever runs on again: the thread ends with f, so whatever f does to the
// thread's namespaces is gone with it.
//
// Never the main thread: that one is what /proc/self stands for, and it cannot
// end before the process does.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		defer runtime.UnlockOSThread()
		done := make(chan struct{})
		go func() { // cannot land on the main thread, which we hold
			defer close(done)
			runtime.LockOSThread()
			f()
		}()
		<-done
	}()
}

// A namespace is a network and host name of its own, held by one thread that
// lives until close. Processes are forked from that thread: they inherit its
// namespaces, and the kernel kills them when the thread ends (a parent-death
// signal belongs to the forking thread, not to the forking process).
type namespace struct {
	handle netns.NsHandle
	work   chan func()
	ended  chan struct{}
	mounts map[string]string // what covers a path; nil while it has no mounts of its own
}

func newNamespace(hostname string) (*namespace, error) {
	n := &namespace{work: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error)
	onOwnThread(func() {
		defer close(n.ended)
		err := n.unshare(hostname)
		ready <- err
		if err != nil {
			return
		}
		for f := range n.work {
			f()
		}
	})
	if err := <-ready; err != nil {
		<-n.ended
		return nil, err
	}
	return n, nil
}

func (n *namespace) unshare(hostname string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("new network and host name for %q: unshare: %w", hostname, err)
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("sethostname %q: %w", hostname, err)
	}
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the network namespace of %q: %w", hostname, err)
	}
	n.handle = netns.NsHandle(fd)
	return nil
}

// fork runs f on the thread that forks this namespace's processes.
func (n *namespace) fork(f func() error) error {
	result := make(chan error, 1)
	n.work <- func() { result <- f() }
	return <-result
}

// cover makes the processes that are forked from now on see the file in place of what
// is at path. Whoever else looks there sees no change.
func (n *namespace) cover(path, file string) error {
	return n.fork(func() error {
		if n.mounts[path] == file {
			return nil
		}
		if n.mounts == nil {
			// What was mounted so far is private already: see setUp.
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("new mounts: unshare: %w", err)
			}
			n.mounts = map[string]string{}
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", file, path, err)
		}
		n.mounts[path] = file
		return nil
	})
}

// enter runs f on a thread of its own inside the namespace's network, so that
// f may block without holding up fork. Sockets that f opens stay there.
func (n *namespace) enter(f func() error) error {
	result := make(chan error, 1)
	onOwnThread(func() {
		if err := netns.Set(n.handle); err != nil {
			result <- fmt.Errorf("enter the network namespace: setns: %w", err)
			return
		}
		result <- f()
	})
	return <-result
}

// close ends the thread and with it every process forked from it. No fork or
// enter may follow.
func (n *namespace) close() error {
	close(n.work)
	<-n.ended
	return n.handle.Close()
}
