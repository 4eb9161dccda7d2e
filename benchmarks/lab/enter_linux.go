package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The environment by which a process knows where it is: stateVariable is unset
// outside, stateFresh in the process that Enter has started, stateInside once
// that has set itself up, so that its own children find nothing left to do.
const (
	stateVariable = "HOLDFAST_LAB"
	stateFresh    = "fresh"
	stateInside   = "inside"
	outerVariable = "HOLDFAST_LAB_OUTER_PID"
)

func inside() bool     { return os.Getenv(stateVariable) == stateInside }
func outerPID() string { return os.Getenv(outerVariable) }

// Enter runs the program inside the laboratory: call it first in main, or in
// TestMain, before anything is started or opened.
//
// It starts the program anew, with the same arguments, in network, mount, host
// name and process namespaces of its own, so that nothing it does reaches the
// machine's network and everything it starts dies with it. There Enter
// returns, with the proxy variables unset. Outside it never returns: it waits,
// passes SIGINT, SIGTERM, SIGHUP and SIGQUIT on, clears what is left, and exits
// with the code of the program inside, or 128 plus the signal that killed it.
//
// Before that it prepares the programs that a lab runs, with an API server of each
// of the minors beside the newest, where the network is still there: see [Prepare]. Without root it uses a user namespace. Where the
// machine allows neither, or lacks something else, it says so in one sentence
// and exits with code 1.
//
// Inside, and in programs started inside, Enter does nothing.
func Enter(minors ...string) { enter(Prepare, minors) }

// EnterWithNodes is [Enter] for labs with nodes (package lab/node): it prepares what
// they run too.
func EnterWithNodes(minors ...string) {
	enter(func(ctx context.Context, progress io.Writer, minors ...string) (Binaries, error) {
		b, err := Prepare(ctx, progress, minors...)
		if err == nil {
			err = b.PrepareNodes(ctx, progress)
		}
		return b, err
	}, minors)
}

func enter(prepare func(context.Context, io.Writer, ...string) (Binaries, error), minors []string) {
	switch os.Getenv(stateVariable) {
	case stateInside:
		return
	case stateFresh:
		if err := setUp(); err != nil {
			fail(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	binaries, err := prepare(ctx, os.Stderr, minors...)
	stop()
	if err != nil {
		fail(err)
	}
	code, err := runInside(binaries)
	removeFoldersOf(strconv.Itoa(os.Getpid()))
	_ = RemoveGroups(folderPrefix + strconv.Itoa(os.Getpid()) + "-*") // there are some only if nodes were killed with their lab
	if err != nil {
		fail(err)
	}
	os.Exit(code)
}

// removeFoldersOf removes what a laboratory that has just ended left behind.
func removeFoldersOf(outerPID string) {
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+outerPID+"-*"))
	for _, path := range paths {
		_ = os.RemoveAll(path)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// runInside starts the program in namespaces of its own and returns its exit
// code.
func runInside(b Binaries) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("lab: find the running program: %w", err)
	}
	// The death of this thread would kill the child: it must not end early.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer signal.Stop(signals)

	var cmd *exec.Cmd
	for _, withUser := range userNamespaceTries(os.Geteuid()) {
		cmd = exec.Command(self, os.Args[1:]...)
		cmd.Args[0] = os.Args[0]
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(),
			stateVariable+"="+stateFresh,
			outerVariable+"="+strconv.Itoa(os.Getpid()))
		cmd.Env = append(cmd.Env, b.handover()...)
		cmd.SysProcAttr = namespaces(withUser)
		if err = cmd.Start(); err == nil || !errors.Is(err, unix.EPERM) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("lab: cannot make the laboratory's namespaces (%w): %s", err, whatIsMissing(os.Geteuid(), readSetting))
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // fails only when it has ended
		}
	}()
	err = cmd.Wait()
	signal.Stop(signals)
	close(signals)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("lab: wait for the program inside: %w", err)
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// userNamespaceTries says whether to use a user namespace, in the order to try:
// root needs none, unless it is the root of a container without rights.
func userNamespaceTries(euid int) []bool {
	if euid == 0 {
		return []bool{false, true}
	}
	return []bool{true}
}

func namespaces(withUser bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
		Setpgid:    true, // an interrupt from the terminal arrives once, through us
	}
	if withUser {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// setUp makes the fresh namespaces usable.
func setUp() error {
	missing := func(what string, err error) error {
		return fmt.Errorf("lab: cannot %s inside the laboratory's namespaces (%w): %s", what, err, whatIsMissing(outerUser(), readSetting))
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return missing("make mounts private", err)
	}
	// Inside a container the kernel may forbid a new /proc. The old one serves
	// as well, except that it shows the processes by their numbers outside.
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil && !errors.Is(err, unix.EPERM) {
		return missing("mount /proc", err)
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return missing("set the host name", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return missing("find the loopback interface", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return missing("set the loopback interface up", err)
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		if err := os.Unsetenv(name); err != nil { // no proxy can be reached from here
			return fmt.Errorf("lab: unset %s: %w", name, err)
		}
	}
	return os.Setenv(stateVariable, stateInside)
}
