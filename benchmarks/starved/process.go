package starved

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// process is a process of a measurement.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	heard func(line)
	read  sync.WaitGroup
	group *group
}

// start starts the running program once more in the role. heard is called for each
// line that it says, by one goroutine.
func start(r role, heard func(line)) (*process, error) {
	spec, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(program), heard: heard}
	p.cmd.Env = append(os.Environ(), marker+"="+string(spec))
	p.cmd.Stderr = io.Discard // each elector logs every loss there
	out, errOut := p.cmd.StdoutPipe()
	in, errIn := p.cmd.StdinPipe()
	if err := errors.Join(errOut, errIn); err != nil {
		return nil, err
	}
	p.stdin = in
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a process of the measurement: %w", err)
	}
	p.read.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var l line
			if json.Unmarshal(lines.Bytes(), &l) == nil {
				heard(l)
			}
		}
	})
	return p, nil
}

// starve lets the process use no more than percent of one CPU from now on.
func (p *process) starve(name string, percent float64) error {
	g, err := newGroup(name, percent)
	if err != nil {
		return err
	}
	p.group = g
	return g.take(p.cmd.Process.Pid)
}

// ask makes the process say how many writes it has committed.
func (p *process) ask() error {
	_, err := p.stdin.Write([]byte("\n"))
	return err
}

// kill ends the process as a crash would, and removes its group.
func (p *process) kill() error {
	killed := p.cmd.Process.Kill()
	p.read.Wait()
	_ = p.cmd.Wait() // "signal: killed", as it was
	var removed error
	if p.group != nil {
		removed = p.group.remove()
		p.group = nil
	}
	if errors.Is(killed, os.ErrProcessDone) {
		killed = nil
	}
	return errors.Join(killed, removed)
}
