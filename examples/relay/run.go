package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"k8s.io/klog/v2"
)

// answerTimeout bounds a probe's request.
const answerTimeout = 2 * time.Second

// run is the command: it passes connections on until ctx ends and they have drained.
func run(ctx context.Context, o options) error {
	counts := new(counts)
	r := &relay{
		servers: newServers(o.to, o.connect, o.hedge, o.silence, &counts.meter),
		limits:  o.limits, most: o.connections, drain: o.drain, counts: counts,
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("-listen=%q: %w", o.listen, err)
	}
	defer listener.Close()
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stopServing, err := serve(o.address, handler(counts), fail)
	if err != nil {
		return err
	}
	defer stopServing()
	klog.FromContext(ctx).Info("Starting", "listen", listener.Addr().String(), "to", strings.Join(o.to, ","), "connect", o.connect, "hedge", o.hedge,
		"silence", o.silence, "answer", o.limits.answer, "idle", o.limits.idle, "halfClosed", o.limits.halfClosed, "connections", o.connections)
	if err := r.serve(running, listener); err != nil {
		return fmt.Errorf("listening on %s: %w", listener.Addr(), err)
	}
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(running)
}

func handler(counts *counts) http.Handler {
	mux := http.NewServeMux()
	// It is well while it listens: whether a server can be reached is nothing that a
	// restart of the relay would mend.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		counts.write(w)
	})
	return mux
}

// serve serves handler on address until the returned function is called. An empty
// address serves nothing. failed is called if serving ends by itself.
func serve(address string, handler http.Handler, failed func(error)) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-address=%q: %w", address, err)
	}
	server := &http.Server{Handler: handler, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serving on %s: %w", listener.Addr(), err))
		}
	}()
	return func() {
		_ = server.Close()
		<-done
	}, nil
}
