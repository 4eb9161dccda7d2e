package dialer

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"runtime/debug"

	"k8s.io/klog/v2"
)

// crash is a panic below an attempt, such as in a round tripper of the user's,
// or a call of runtime.Goexit. Attempts run in goroutines of ours, in which
// nobody could recover it; so it is raised again in the goroutine that made the
// call, where it would have been without us.
type crash struct {
	value any // nil after a Goexit
	stack []byte
}

// caught makes a crash of what recover has returned while the goroutine that
// has crashed unwinds.
func caught(value any) *crash { return &crash{value: value, stack: debug.Stack()} }

// raise continues the crash in the calling goroutine, with the same value. The
// stack on which it began goes to the log, for it ends here.
func (c *crash) raise(ctx context.Context) {
	if c.value == nil {
		runtime.Goexit()
	}
	c.log(ctx)
	panic(c.value)
}

func (c *crash) log(ctx context.Context) {
	if err, ok := c.value.(error); c.value == nil || ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	klog.FromContext(ctx).Error(nil, "A round tripper panicked", "panic", c.value, "stack", string(c.stack))
}
