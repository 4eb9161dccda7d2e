package leaderelection

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// compareClocks is how often the clocks are compared: often enough that work is
// told of a suspension that has cost it the lease within 100 ms of its end.
const compareClocks = 40 * time.Millisecond

// clockWatch compares the clocks for many terms, and tells each when they have
// leapt apart. It runs while there is a term, so that a process that leads a
// thousand times wakes as often as one that leads once.
type clockWatch struct {
	clock timepiece

	mu    sync.Mutex
	terms map[*Term]struct{}
	stop  chan struct{}
}

// processClocks watches the real clocks for every term in the process.
var processClocks = &clockWatch{clock: timepiece{clock.RealClock{}}}

// add tells t of every leap from now on.
func (w *clockWatch) add(t *Term) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.terms) == 0 {
		w.terms, w.stop = map[*Term]struct{}{}, make(chan struct{})
		go w.run(w.stop, w.clock.now())
	}
	w.terms[t] = struct{}{}
}

// remove tells t no more. It is called once for each add.
func (w *clockWatch) remove(t *Term) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.terms, t)
	if len(w.terms) == 0 {
		close(w.stop)
	}
}

func (w *clockWatch) run(stop <-chan struct{}, last instant) {
	timer := w.clock.NewTimer(compareClocks)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C():
		}
		timer.Reset(compareClocks)
		if now := w.clock.now(); now.leapt(last) {
			last = now
			w.tell()
		}
	}
}

func (w *clockWatch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t := range w.terms {
		t.doubt()
	}
}

// watch returns the watch that a term on this clock shares with others, nil if
// it has to compare the clocks by itself: an injected clock is its own, and so is
// the time of a testing/synctest bubble, which nothing outside may wake.
func (t timepiece) watch() *clockWatch {
	switch t.WithDelayedExecution.(type) {
	case clock.RealClock, *clock.RealClock:
		if !t.Now().Round(0).Before(processBegan) {
			return processClocks
		}
	}
	return nil
}

// processBegan tells the time of a bubble, which begins with the year 2000. A
// wall clock that was set back to before it is taken for one, which costs no
// more than a timer for each term.
var processBegan = time.Now().Round(0)
