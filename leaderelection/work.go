package leaderelection

import (
	"bytes"
	"context"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// work is what a term guards: one call of OnStartedLeading.
type work struct {
	term *Term
	// done is closed when it has returned, or is never to begin.
	done chan struct{}
	// goroutine is the one that it runs in, as the runtime names it.
	goroutine atomic.Pointer[string]
	// decided is that it has begun, or may not begin any more.
	decided atomic.Bool
}

// startWork calls f in a goroutine of its own, unless it is prevented before.
func startWork(ctx context.Context, term *Term, lock rl.Interface, f func(context.Context)) *work {
	w := &work{term: term, done: make(chan struct{})}
	returned := w.under(lock)
	go func() {
		defer close(w.done)
		defer returned()
		name := goroutine()
		w.goroutine.Store(&name)
		if w.decided.CompareAndSwap(false, true) {
			f(ctx)
		}
	}()
	return w
}

// prevent keeps work that has not begun from beginning: after the end of its
// term it would begin after OnStoppedLeading was called.
func (w *work) prevent() { w.decided.Store(true) }

// returned reports whether it has returned.
func (w *work) returned() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// goroutine returns the name of the goroutine that calls it, which is in the
// first line of its stack: "goroutine 12 [running]:".
func goroutine() string {
	var line [64]byte
	name, _, _ := bytes.Cut(line[:runtime.Stack(line[:], false)], []byte(" ["))
	return string(name)
}

// stillRunning is how often it is said that work has not returned.
const stillRunning = time.Minute

// works has the work that runs under each lock. An elector that is made anew for the
// lock of an earlier one, as RunOrDie in a loop does, is to wait for the work of that.
var works sync.Map

// workUnder returns the work that runs under a lock, nil if there is none or the lock is
// nothing that can be compared.
func workUnder(lock rl.Interface) *work {
	if !reflect.ValueOf(lock).Comparable() {
		return nil
	}
	w, _ := works.Load(lock)
	running, _ := w.(*work)
	return running
}

// under notes that the work runs under a lock, and returns what notes that it has
// returned.
func (w *work) under(lock rl.Interface) (returned func()) {
	if !reflect.ValueOf(lock).Comparable() {
		return func() {}
	}
	works.Store(lock, w)
	return func() { works.CompareAndDelete(lock, w) }
}

// awaitWork waits until the work of the last term has returned, also that of another
// elector with the same lock, so that it never runs twice in one process. It reports
// whether it has before ctx ends.
func (t *tenure) awaitWork(ctx context.Context) bool {
	w := t.unfinished()
	if w == nil {
		return true
	}
	timer := t.clock.NewTimer(stillRunning)
	defer timer.Stop()
	began := t.clock.now()
	logWaiting := func() {
		klog.FromContext(ctx).Info("The work of the last term has not returned; not contending until it has", "waited", t.clock.now().monoSince(began).Round(time.Second))
	}
	logWaiting()
	for ; w != nil; w = t.unfinished() {
		select {
		case <-w.done:
		case <-ctx.Done():
			return false
		case <-timer.C():
			logWaiting()
			timer.Reset(stillRunning)
		}
	}
	return true
}
