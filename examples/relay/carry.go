package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// chunk is how much is carried at a time.
const chunk = 32 << 10

var buffers = sync.Pool{New: func() any { return new([chunk]byte) }}

// carriage carries the bytes of one connection.
type carriage struct {
	client, server net.Conn
	limits         limits
	counts         *counts

	mu       sync.Mutex
	activity activity
	failed   reason // why it is to end; "" while it goes on
	aborted  chan struct{}
}

// carry moves bytes both ways until both sides have finished, one fails, a limit is
// over, or ended is closed. Both connections are closed when it returns: with a reset
// where they have not finished, so that whoever reads knows that there is more.
func carry(client, server net.Conn, limits limits, counts *counts, ended <-chan struct{}) reason {
	c := &carriage{client: client, server: server, limits: limits, counts: counts, activity: activity{last: time.Now()}, aborted: make(chan struct{})}
	var moving sync.WaitGroup
	moving.Go(func() { c.move(server, client, true) })
	moving.Go(func() { c.move(client, server, false) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		moving.Wait()
	}()
	c.guard(done, ended)
	<-done
	_ = client.Close()
	_ = server.Close()
	if c.failed == "" {
		return reasonDone
	}
	return c.failed
}

// guard ends the carriage where a limit is over or ended is closed.
func (c *carriage) guard(done, ended <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-c.aborted:
			return
		case <-ended:
			c.abort(reasonDrain)
			return
		case <-timer.C:
		}
		at, why := c.due()
		rest := time.Until(at)
		if rest <= 0 {
			c.abort(why)
			return
		}
		if c.limits.answer > 0 {
			rest = min(rest, max(c.limits.answer/4, time.Millisecond)) // it becomes due without a word to this goroutine
		}
		timer.Reset(min(rest, max(c.limits.halfClosed/4, time.Millisecond)))
	}
}

func (c *carriage) due() (time.Time, reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limits.due(c.activity)
}

// move carries bytes until the source has finished, and passes that on.
func (c *carriage) move(to, from net.Conn, up bool) {
	buffer := buffers.Get().(*[chunk]byte)
	defer buffers.Put(buffer)
	source, sink := reasonServer, reasonClient
	if up {
		source, sink = reasonClient, reasonServer
	}
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			c.note(up)
			if _, err := to.Write(buffer[:n]); err != nil {
				c.abort(sink)
				return
			}
			c.counts.carried(up, n)
		}
		switch {
		case errors.Is(err, io.EOF):
			if to.(interface{ CloseWrite() error }).CloseWrite() != nil {
				c.abort(sink)
			}
			c.finished(up)
			return
		case err != nil:
			c.abort(source)
			return
		}
	}
}

// note notes that bytes are carried.
func (c *carriage) note(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.activity.last = time.Now()
	switch {
	case !up:
		c.activity.asked = time.Time{}
	case c.activity.asked.IsZero():
		c.activity.asked = c.activity.last
	}
}

// finished notes that a side has finished.
func (c *carriage) finished(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.activity.last, c.activity.half = time.Now(), true
	c.activity.answered = c.activity.answered || !up
}

// abort resets both connections; the first reason stays.
func (c *carriage) abort(why reason) {
	c.mu.Lock()
	first := c.failed == ""
	if first {
		c.failed = why
	}
	c.mu.Unlock()
	if first {
		reset(c.client)
		reset(c.server)
		close(c.aborted)
	}
}

// reset closes a connection so that its peer sees an error and not an end.
func reset(conn net.Conn) {
	inner := conn
	for {
		if socket, ok := inner.(interface{ SetLinger(int) error }); ok {
			_ = socket.SetLinger(0)
			break
		}
		wrapper, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = wrapper.NetConn()
	}
	_ = conn.Close()
}
