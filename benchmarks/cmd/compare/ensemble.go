package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// farewell is how long a player may take to end its laboratory.
const farewell = time.Minute

// ensemble is the players of a comparison.
type ensemble struct {
	// programs are the versions of what the laboratories run.
	programs map[string]string
	free     chan *player
}

// assemble starts n players and returns when all their laboratories stand.
func assemble(ctx context.Context, n int) (*ensemble, error) {
	e := &ensemble{free: make(chan *player, n)}
	players := make([]*player, n)
	errs := make([]error, n)
	var starts sync.WaitGroup
	for i := range n {
		starts.Go(func() {
			players[i] = &player{}
			errs[i] = players[i].start()
		})
	}
	starts.Wait()
	for _, p := range players {
		e.free <- p
	}
	e.programs = players[0].programs
	if err := errors.Join(errors.Join(errs...), ctx.Err()); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// play lets a player that is free play the cell. No more may be asked for at a
// time than there are players.
func (e *ensemble) play(ctx context.Context, c compare.Cell) (scenario.Result, error) {
	p := <-e.free
	defer func() { e.free <- p }()
	return p.play(ctx, c)
}

// close ends the players, of which none may be playing.
func (e *ensemble) close() error {
	var errs []error
	for range cap(e.free) {
		p := <-e.free
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// player is a program that plays in its own laboratory. The zero player has
// not been started.
type player struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *json.Decoder
	programs map[string]string
}

// start starts the running program once more, as a player.
func (p *player) start() (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to start as a player: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the terminal is for us
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a player: %w", err)
	}
	p.cmd, p.in, p.out = cmd, in, json.NewDecoder(out)
	var hello greeting
	if err := p.out.Decode(&hello); err != nil {
		return errors.Join(fmt.Errorf("wait for the laboratory of a player: %w", err), p.close())
	}
	p.programs = maps.Clone(hello.Programs)
	return nil
}

// play plays the cell, and starts the player if there is none. One that ctx or
// something else has ended is started anew by the next cell.
func (p *player) play(ctx context.Context, c compare.Cell) (scenario.Result, error) {
	if p.cmd == nil {
		if err := p.start(); err != nil {
			return scenario.Result{}, err
		}
	}
	process := p.cmd.Process
	defer context.AfterFunc(ctx, func() { _ = process.Signal(syscall.SIGTERM) })() // fails only when it has ended
	var answer played
	err := json.NewEncoder(p.in).Encode(c)
	if err == nil {
		err = p.out.Decode(&answer)
	}
	if err != nil {
		return scenario.Result{}, errors.Join(fmt.Errorf("the player of %v did not answer: %w", c, err), p.close())
	}
	result := scenario.Result{Events: answer.Events, Floor: answer.Floor}
	if answer.Failed != "" {
		return result, errors.New(answer.Failed)
	}
	result.Figures, err = scenario.Measure(answer.Events, c.Timing.RetryPeriod)
	return result, err
}

// close ends the player, by ending what it reads.
func (p *player) close() error {
	if p.cmd == nil {
		return nil
	}
	cmd := p.cmd
	p.cmd = nil
	overdue := time.AfterFunc(farewell, func() { _ = cmd.Process.Kill() })
	defer overdue.Stop()
	_ = p.in.Close() // fails only when it has ended
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("end a player: %w", err)
	}
	return nil
}
