package lab

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// bind makes the process lead a group of its own, so that it can be killed
// with its children, and die with the thread that forks it.
func bind(cmd *exec.Cmd, isolated bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if isolated {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC
	}
}

func signalGroup(pid int, s syscall.Signal) error {
	if err := unix.Kill(-pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %s to process group %d: %w", unix.SignalName(s), pid, err)
	}
	return nil
}

// freezeGroup stops the group and returns when its leader stands still.
func freezeGroup(pid int) error {
	if err := signalGroup(pid, unix.SIGSTOP); err != nil {
		return err
	}
	for {
		// WNOWAIT leaves the exit status, if that is what comes, to os/exec.
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		switch {
		case err == nil, errors.Is(err, unix.ECHILD): // stopped; or died first
			return nil
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait for process %d to stand still: %w", pid, err)
		}
	}
}

func thawGroup(pid int) error { return signalGroup(pid, unix.SIGCONT) }
func killGroup(pid int) error { return signalGroup(pid, unix.SIGKILL) }
