package witness

// Process is the kernel's word, among processes that share a network namespace: the
// containers of a Pod, a container and the one that is started in its place, Pods with
// hostNetwork and other processes of one host. It needs no permission and no API. The
// zero value is ready for use, and all values are one.
//
// What a process leaves is a listening socket, whose name in the abstract namespace
// of unix(7) is random, with 128 bits. The kernel takes the name away when the last
// thread of the process has gone, and gives no name to two. So whoever can bind the
// name, in the same network namespace of the same running kernel, knows that the
// process is dead. A candidate that was there before it died has a connection to
// the socket, whose end tells it when to try.
//
// It tells of this process and of no other. Programs that the process has started may
// run on after it, if only for a moment, as where the kernel ends them (PDEATHSIG, or
// with the first process of a PID namespace). Where they are what the lease guards, do
// not use Process.
//
// The socket lasts as long as the process: it is not closed when an elector has
// ended. It costs one file descriptor and no goroutine, and nothing ever reads from
// it.
//
// It runs on Linux. Elsewhere Leave returns an error that wraps
// errors.ErrUnsupported, and Await one that wraps ErrNoProof.
type Process struct{}

var _ Witness = Process{}

// Name implements Witness.
func (Process) Name() string { return "process" }
