package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A Command says what to run on a host.
type Command struct {
	// Path is the program, absolute or relative to Dir. It is required.
	Path string
	// Args are the arguments after the program's name.
	Args []string
	// Env is added to the laboratory's own environment, KEY=value each.
	Env []string
	// Dir is where the program runs; empty means the laboratory's own.
	Dir string
	// Stdout and Stderr receive what the program writes. Nil means the host's
	// log file, [Host.LogPath].
	Stdout, Stderr io.Writer
	// Isolated gives the program process, mount and IPC namespaces of its own,
	// of which it is the first process, as init is a machine's: its end is the end
	// of everything that it has started. It takes root, not only a user namespace.
	Isolated bool
}

// A Process is a program running on a host. It ends when it exits, when
// [Process.Kill] is called, when its host or the lab is closed, or when the
// laboratory dies, whichever comes first.
//
// All methods are safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	name string
	done chan struct{}
	err  error // written before done is closed
}

// outputDelay bounds how long an exited process's children may keep its output open.
const outputDelay = 2 * time.Second

// start runs c on l; output that c does not take goes to log.
func start(l *link, host string, c Command, log io.Writer) (*Process, error) {
	if c.Path == "" {
		return nil, fmt.Errorf("lab: start a process on host %q: Command.Path is empty", host)
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	if cmd.Stderr == nil {
		cmd.Stderr = log
	}
	cmd.WaitDelay = outputDelay
	bind(cmd, c.Isolated)
	if err := l.fork(cmd.Start); err != nil {
		return nil, fmt.Errorf("lab: start %s on host %q: %w", c.Path, host, err)
	}
	p := &Process{cmd: cmd, name: fmt.Sprintf("%s on host %q", filepath.Base(c.Path), host), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Pid is the process's number inside the laboratory.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends s to the process alone, not to its children. It returns an
// error that wraps [os.ErrProcessDone] if the process has ended.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("lab: send %v to %s: %w", s, p.name, err)
	}
	return nil
}

// Kill ends the process and its children at once (SIGKILL) and waits for that.
// On a process that has ended it does nothing. The host's kernel closes the
// connections, so that peers see them end; for a death that nobody announces
// use [Host.Cut].
func (p *Process) Kill() error { return p.unlessDone(killGroup, true) }

// Freeze stops the process and its children (SIGSTOP) and returns when it
// stands still. Its kernel goes on acknowledging what peers send.
func (p *Process) Freeze() error { return p.unlessDone(freezeGroup, false) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.unlessDone(thawGroup, false) }

func (p *Process) unlessDone(f func(pid int) error, wait bool) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := f(p.Pid()); err != nil {
		return fmt.Errorf("lab: %s: %w", p.name, err)
	}
	if wait {
		<-p.done
	}
	return nil
}

// Wait waits for the process to end. Its error is an [*exec.ExitError] if the
// process was killed or exited with a code other than 0. Any number of callers
// may wait, also after the end.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Done is closed when the process has ended and its output has been written.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the code the process exited with: -1 while it runs and when a
// signal ended it.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}
