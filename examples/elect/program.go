package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// lookAgain is how often it is looked for what is left of a program that was told to
// stop, beside whenever a child has ended.
const lookAgain = 50 * time.Millisecond

// program is the command that runs in each term.
type program struct {
	path     string
	argv     []string
	lease    string
	grace    time.Duration
	workStop time.Duration // how long the lease lasts beyond the end of the term
	children *children
	// hurry is closed when what runs is to be killed at once.
	hurry <-chan struct{}
	count *counts

	mu      sync.Mutex // held while it is being started, so that no signal is lost then
	running *child
}

// outcome is what became of one run of the program.
type outcome struct {
	// code is the exit code, as a shell has it.
	code int
	// byItself: the program ended, or could not be started, while the term lasted.
	byItself bool
	err      error // why it could not be started
}

// run runs the program until it ends or ctx does, which is that of the work of term.
// When it returns nothing is left of the program: neither the process nor anything that
// descends from it.
func (p *program) run(ctx context.Context, term *leaderelection.Term) outcome {
	logger := klog.FromContext(ctx)
	began := time.Now()
	child, err := p.start(environment(os.Environ(), p.lease, term.Holder(), term.AcquireTime(), term.FencingToken()))
	if err != nil {
		return outcome{code: codeOfStart(err), byItself: true, err: err}
	}
	p.count.began()
	logger.Info("The program runs", "pid", child.pid, "command", p.argv)

	result := outcome{}
	select {
	case <-child.ended:
		result.byItself = ctx.Err() == nil
		logger.Info("The program has ended", "status", describe(child.status), "after", time.Since(began).Round(time.Millisecond))
	case <-ctx.Done():
		logger.Info("Telling the program to stop", "reason", context.Cause(ctx).Error())
	}
	killed := p.stop(ctx, child, term)
	<-child.ended
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	result.code = codeOf(child.status)
	p.count.ended(result.byItself, killed)
	logger.Info("Nothing is left of the program", "code", result.code, "killed", killed, "after", time.Since(began).Round(time.Millisecond))
	return result
}

func (p *program) start(environment []string) (child *child, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	child, err = p.children.start(p.path, p.argv, environment)
	p.running = child
	return child, err
}

// runs reports whether it, or something of it, runs.
func (p *program) runs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running != nil
}

// stop tells the program and all that descends from it to stop, kills what has not in
// time, and returns when nothing is left. It reports whether something was killed.
func (p *program) stop(ctx context.Context, child *child, term *leaderelection.Term) (killed bool) {
	logger, asked := klog.FromContext(ctx), time.Now()
	p.tell(logger, child, syscall.SIGTERM)
	p.tell(logger, child, syscall.SIGCONT) // one that was stopped by a signal hears of it
	timer := time.NewTimer(0)
	defer timer.Stop()
	for hurry := p.hurry; p.left(child); {
		// The work's context ends before the term says why.
		taken := takenAway(context.Cause(ctx)) || takenAway(term.Err())
		rest := time.Until(killAt(asked, p.grace, taken, term.End(), p.workStop))
		if hurry == nil || rest <= 0 {
			if !killed {
				killed = true
				logger.Info("Killing the program", "asked", time.Since(asked).Round(time.Millisecond), "leaseTaken", taken)
			}
			p.tell(logger, child, syscall.SIGKILL)
			rest = lookAgain
		}
		timer.Reset(min(rest, lookAgain))
		select {
		case <-p.children.changed:
		case <-timer.C:
		case <-hurry:
			hurry = nil
		}
	}
	return killed
}

// tell sends a signal to the program's process group, and to what descends from it
// in groups of its own.
func (p *program) tell(logger klog.Logger, child *child, s syscall.Signal) {
	pids, err := family()
	if err != nil {
		logger.V(2).Info("Signalling the process group alone", "err", err)
		_ = syscall.Kill(-child.pid, s)
		if s == syscall.SIGKILL && os.Getpid() == 1 {
			_ = syscall.Kill(-1, s) // all processes of the container but this one
		}
		return
	}
	tell(pids, s)
}

// left reports whether something of the program lives.
func (p *program) left(child *child) bool {
	select {
	case <-child.ended:
	default:
		return true
	}
	if pids, err := family(); err == nil {
		return len(pids) > 0
	}
	return syscall.Kill(-child.pid, 0) == nil
}

// pass sends a signal to the program itself, if it runs.
func (p *program) pass(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		p.children.signal(p.running, s)
	}
}

// codeOf returns the exit code of a process as a shell has it.
func codeOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// codeOfStart returns the exit code of a program that could not be started.
func codeOfStart(err error) int {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return exitMissing
	}
	return exitCannot
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "ended by " + status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}
