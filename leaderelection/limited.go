package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// limitedLock is a lock around a client that was not hardened. There client-go
// waits within a call, for the client's rate limiter and for as long as a server
// has asked to (Retry-After), and reports both as an error of the limiter, or from
// 0.37.2 on the second as the end of the context alone. This lock's errors say
// which it was.
type limitedLock struct{ rl.Versioned }

// Read implements Versioned.
func (l limitedLock) Read(ctx context.Context) (rl.Snapshot, error) {
	return toldWhy(ctx, l.Versioned.Read)
}

// Write implements Versioned.
func (l limitedLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	return toldWhy(ctx, func(ctx context.Context) (rl.Snapshot, error) { return l.Versioned.Write(ctx, base, next) })
}

// toldWhy makes a call whose error tells what client-go has waited for.
func toldWhy(ctx context.Context, call func(context.Context) (rl.Snapshot, error)) (rl.Snapshot, error) {
	var answered atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { answered.Store(false) },
		GotFirstResponseByte: func() { answered.Store(true) },
	})
	state, err := call(ctx)
	return state, waitedFor(err, answered.Load())
}

// limiterError is how client-go begins an error of its rate limiter.
const limiterError = "client rate limiter Wait returned an error"

// waitedFor adds to an error of the rate limiter, or of a context that has ended,
// what has been waited for: answered says that a server had answered what was asked
// last.
func waitedFor(err error, answered bool) error {
	switch {
	case err == nil:
		return nil
	case !strings.Contains(err.Error(), limiterError):
		if answered && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
			return fmt.Errorf("the API server refused, and asked to wait (Retry-After), or did not end its answer, for longer than the call may take: %w", err)
		}
		return err
	case answered:
		return fmt.Errorf("the API server refused, and asked to wait (Retry-After) for longer than the call may take: %w", err)
	default:
		return fmt.Errorf("no request was sent, since the rate limiter of the client (its QPS and Burst), which is shared with all that uses the client, did not let it pass in time: %w", err)
	}
}
