package dialer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"

	"k8s.io/klog/v2"
)

// crash is a panic of code of the user's, such as a round tripper or a Dial, or a
// call of runtime.Goexit there. It comes in a goroutine of ours, in which nobody
// could recover it; so it is raised again in the goroutine that made the call, where
// it would have been without us. Until then it is an error like others.
type crash struct {
	value  any // nil after a Goexit
	stack  []byte
	logged sync.Once
}

// caught makes a crash of what recover has returned while the goroutine that
// has crashed unwinds.
func caught(value any) *crash { return &crash{value: value, stack: debug.Stack()} }

// crashOf returns the crash that an error comes from, nil if it comes from none.
func crashOf(err error) *crash {
	var c *crash
	errors.As(err, &c)
	return c
}

// Error says what the user's code has panicked with.
func (c *crash) Error() string {
	if c.value == nil {
		return "code of the user's ended its goroutine (runtime.Goexit)"
	}
	return fmt.Sprintf("code of the user's panicked: %v", c.value)
}

// raise continues the crash in the calling goroutine, with the same value. The
// stack on which it began goes to the log, for it ends here.
func (c *crash) raise(ctx context.Context) {
	if c.value == nil {
		runtime.Goexit()
	}
	c.log(ctx)
	panic(c.value)
}

// log tells of the crash once, whoever comes to know of it first.
func (c *crash) log(ctx context.Context) {
	if err, ok := c.value.(error); c.value == nil || ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	c.logged.Do(func() {
		klog.FromContext(ctx).Error(nil, "Code of the user's panicked", "panic", c.value, "stack", string(c.stack))
	})
}

// quietly calls code of the user's that has nothing to say and that nobody waits
// for: what it panics with goes to the log.
func quietly(ctx context.Context, call func()) {
	defer func() {
		if value := recover(); value != nil {
			caught(value).log(ctx)
		}
	}()
	call()
}
