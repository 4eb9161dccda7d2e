// Package bounded makes calls that may be deaf to the end of their contexts,
// such as those of a client whose credential plugin hangs, for callers that wait
// for none of them beyond a bound. A call that nobody waits for any more goes on
// in the background. There are few of those at a time, however often calls fail.
//
// Bounds are contexts: the package reads no clock.
package bounded

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"k8s.io/klog/v2"
)

// ErrDeaf is wrapped by the error of a call that had not returned when it was no
// longer waited for, and of one that was not made because too many such calls
// still go on.
var ErrDeaf = errors.New("the call has not returned")

// Most is how many calls to one party may go on though nobody waits for them.
// While there are as many, no further ones are made.
const Most = 8

// Ended returns why ctx has ended: its error, which a caller looks for by errors.Is, and
// its cause where that does not say as much. While ctx lasts it is nil.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// Calls are the calls to one party, such as one client. The zero value is ready
// for use, and its methods are safe for concurrent use.
type Calls struct {
	mu   sync.Mutex
	left int           // those that go on though nobody waits for them
	back chan struct{} // closed when one of them returns; nil while nobody waits for that
}

// Call is one of the calls to a party. The zero value is one that was not made
// yet; it is used once.
type Call struct{ returned, left bool }

// Enter waits until a call may be made, which it mostly may at once. After ctx
// has ended it may not.
func (c *Calls) Enter(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return Ended(ctx)
		}
		left, back := c.room()
		if back == nil {
			return nil
		}
		select {
		case <-back:
		case <-ctx.Done():
			return fmt.Errorf("%w: not called, since %d earlier calls go on: %w", Ended(ctx), left, ErrDeaf)
		}
	}
}

// room returns nil where there is room for a call, else how many go on and a
// channel that is closed when one of them has returned.
func (c *Calls) room() (left int, back <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left < Most {
		return c.left, nil
	}
	if c.back == nil {
		c.back = make(chan struct{})
	}
	return c.left, c.back
}

// Leave notes that nobody waits for call any more, and reports whether it has not
// returned.
func (c *Calls) Leave(call *Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.returned {
		return false
	}
	if !call.left {
		call.left = true
		c.left++
	}
	return true
}

// Return notes that call has returned, and reports whether someone waits for it.
func (c *Calls) Return(call *Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	call.returned = true
	if !call.left {
		return true
	}
	c.left--
	if c.back != nil {
		close(c.back)
		c.back = nil
	}
	return false
}

// answer is a call that Do has made, and what it came to, which may be read when
// done is closed.
type answer[T any] struct {
	Call
	value T
	err   error
	done  chan struct{}
}

// Do calls f with ctx and returns what it returns. It does not wait for that
// beyond the end of until, which should come soon after that of ctx: f knows best
// how far it came. Where f panics, the error is a *Panic.
//
// With a context that is Unawaited, f is called in the goroutine of the caller,
// for which nobody waits.
func Do[T any](ctx, until context.Context, calls *Calls, f func(context.Context) (T, error)) (T, error) {
	var none T
	if err := calls.Enter(ctx); err != nil {
		return none, err
	}
	if unawaited(ctx) {
		return f(ctx)
	}
	a := &answer[T]{done: make(chan struct{})}
	go a.run(ctx, calls, f)
	select {
	case <-a.done:
		return a.value, a.err
	case <-until.Done():
	}
	if calls.Leave(&a.Call) {
		return none, fmt.Errorf("%w: %w", Ended(until), ErrDeaf)
	}
	<-a.done
	return a.value, a.err
}

func (a *answer[T]) run(ctx context.Context, calls *Calls, f func(context.Context) (T, error)) {
	var failed *Panic
	returned := false
	defer func() {
		if !returned {
			failed = Panicked(recover())
			a.err = failed
		}
		waitedFor := calls.Return(&a.Call)
		close(a.done)
		if failed != nil && !waitedFor {
			failed.log(ctx)
		}
	}()
	a.value, a.err = f(Unawaited(ctx))
	returned = true
}

type unawaitedKey struct{}

// Unawaited returns a context for a goroutine that nobody waits for beyond a bound,
// as those of Do are: the calls that it makes need no others.
func Unawaited(ctx context.Context) context.Context {
	return context.WithValue(ctx, unawaitedKey{}, true)
}

// Awaited returns a context for a goroutine that someone waits for, in place of
// one that may be Unawaited.
func Awaited(ctx context.Context) context.Context {
	return context.WithValue(ctx, unawaitedKey{}, false)
}

func unawaited(ctx context.Context) bool {
	is, _ := ctx.Value(unawaitedKey{}).(bool)
	return is
}

// Panic is the error of a call that has panicked.
type Panic struct {
	// Value is what it has panicked with.
	Value any
	stack []byte
}

var errEnded = errors.New("the call has ended its goroutine")

// Panicked returns a Panic with what was recovered, in the function that has
// recovered it. nil is that of a call which did not panic but end its goroutine.
func Panicked(recovered any) *Panic {
	if recovered == nil {
		recovered = errEnded
	}
	return &Panic{Value: recovered, stack: debug.Stack()}
}

func (p *Panic) Error() string { return fmt.Sprintf("the call panicked: %v", p.Value) }

// Stack returns the stack of the call, which its error does not tell.
func (p *Panic) Stack() string { return string(p.stack) }

func (p *Panic) log(ctx context.Context) {
	klog.FromContext(ctx).Error(nil, "A call of the lock panicked", "panic", p.Value, "stack", p.Stack())
}

// Raise panics with what a call has panicked with, if err is a *Panic, so that
// the caller may recover it. It logs the stack of the call, which the caller's
// panic does not have.
func Raise(ctx context.Context, err error) {
	var p *Panic
	if errors.As(err, &p) {
		p.log(ctx)
		panic(p.Value)
	}
}
