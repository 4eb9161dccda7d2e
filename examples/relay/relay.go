package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// relay passes connections on.
type relay struct {
	servers *servers
	limits  limits
	most    int
	drain   time.Duration
	counts  *counts
}

// The pauses after an accept that has failed, as when file descriptors run short.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// serve passes on what comes to listener until ctx ends. Then it accepts nothing more,
// gives what it carries the time to drain, resets what is left and returns nil. The
// error is that of a listener that is closed by others.
func (r *relay) serve(ctx context.Context, listener net.Listener) error {
	draining, over := context.WithCancel(context.WithoutCancel(ctx))
	defer over()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	var carrying sync.WaitGroup
	places := make(chan struct{}, r.most)
	err := r.accept(ctx, listener, func(client net.Conn) {
		select {
		case places <- struct{}{}:
		default:
			r.counts.refused.Add(1)
			klog.FromContext(ctx).V(2).Info("Refused a connection: there are enough", "connections", r.most)
			reset(client)
			return
		}
		carrying.Go(func() {
			defer func() { <-places }()
			r.pass(ctx, client, draining.Done())
		})
	})
	timer := time.AfterFunc(r.drain, over)
	defer timer.Stop()
	if err != nil {
		over()
	}
	carrying.Wait()
	return err
}

// accept hands each connection to take until ctx ends.
func (r *relay) accept(ctx context.Context, listener net.Listener, take func(net.Conn)) error {
	for pause := firstPause; ; {
		client, err := listener.Accept()
		switch {
		case err == nil:
			pause = firstPause
			take(client)
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		}
		klog.FromContext(ctx).Error(err, "Could not accept a connection, will try again", "after", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, longestPause)
	}
}

// pass carries one connection until it ends or the time to drain is over.
func (r *relay) pass(ctx context.Context, client net.Conn, over <-chan struct{}) {
	began := time.Now()
	r.counts.open.Add(1)
	defer r.counts.open.Add(-1)
	// A program that is told to stop may still dial, to release its lease.
	dialling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-over:
			cancel()
		case <-stopped:
		}
	}()
	why := reasonDial
	server, err := r.servers.dial(dialling)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Could not reach the API server")
		reset(client)
	} else {
		why = carry(client, server, r.limits, r.counts, over)
	}
	r.counts.ended(why)
	klog.FromContext(ctx).V(2).Info("A connection has ended", "reason", string(why), "after", time.Since(began).Round(time.Millisecond))
}
