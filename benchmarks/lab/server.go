package lab

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// A Server is a part of the control plane on a host of its own: etcd or an API
// server. All methods are safe for concurrent use.
type Server struct {
	host    *Host
	command Command
	probe   func(context.Context) error // nil when the server is ready

	mu      sync.Mutex
	process *Process
}

// An APIServer is a kube-apiserver on a host of its own.
type APIServer struct {
	*Server
	// Index is its number, from 0; [Host.SetBackends] takes it.
	Index int

	auditLog string
}

// Addr is the address at which the API server serves TLS.
func (a *APIServer) Addr() netip.AddrPort { return netip.AddrPortFrom(a.host.Addr(), apiPort) }

// Host is the host the server runs on.
func (s *Server) Host() *Host { return s.host }

// Process is the server's present process; after [Server.Restart] it is another.
func (s *Server) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// Silence cuts the server's host off: see [Host.Cut].
func (s *Server) Silence() error { return s.host.Cut() }

// Mend ends [Server.Silence].
func (s *Server) Mend() error { return s.host.Mend() }

// Freeze stops the server's process: it answers nothing, while its kernel goes
// on acknowledging what peers send and accepting connections for it.
func (s *Server) Freeze() error { return s.Process().Freeze() }

// Thaw ends [Server.Freeze].
func (s *Server) Thaw() error { return s.Process().Thaw() }

// Kill kills the server's process and waits for its end. Peers see their
// connections end and new ones refused.
func (s *Server) Kill() error { return s.Process().Kill() }

// Restart kills the server's process, if it still runs, starts it again with
// the same data and waits until it is ready or ctx ends.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	return s.Ready(ctx)
}

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.host.Start(s.command)
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

const (
	readyPoll  = 100 * time.Millisecond // pause between two questions
	readyTry   = 2 * time.Second        // bound of one question
	closingLog = 15                     // lines of the log that an error quotes
)

// Ready waits until the server says that it is ready: an API server by
// /readyz, etcd by /health, asked directly and not through the virtual IP. It
// fails when ctx ends or when the process exits, with the end of its log.
func (s *Server) Ready(ctx context.Context) error {
	begin := time.Now()
	p := s.Process()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, readyTry)
		err := s.probe(try)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("lab: %s exited (%w) before it was ready; %s",
				s.host.name, exitCause(p.Wait()), endOfLog(s.host.LogPath()))
		case <-ctx.Done():
			return fmt.Errorf("lab: %s not ready after %s: %w; last answer: %w; %s",
				s.host.name, time.Since(begin).Round(time.Millisecond), context.Cause(ctx), err, endOfLog(s.host.LogPath()))
		case <-tick.C:
		}
	}
}

func exitCause(err error) error {
	if err == nil {
		return fmt.Errorf("exit status 0")
	}
	return err
}

// endOfLog quotes the last lines of a log for an error.
func endOfLog(path string) string {
	const most = 16 << 10
	f, err := os.Open(path)
	if err != nil {
		return fmt.Sprintf("its log cannot be read: %v", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return fmt.Sprintf("its log cannot be read: %v", err)
		}
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return fmt.Sprintf("its log cannot be read: %v", err)
	}
	return fmt.Sprintf("its log %s ends:\n\t%s", path,
		strings.ReplaceAll(lastLines(string(text), closingLog), "\n", "\n\t"))
}
