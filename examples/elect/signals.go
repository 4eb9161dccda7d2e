package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// errAsked is wrapped by the cause of the end that a signal has asked for.
var errAsked = errors.New("asked to end")

// passed are the signals that are the program's business.
var passed = []os.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

// listen handles signals until stop is called. The first SIGTERM or SIGINT calls end, the
// second closes hurry; the others go to pass.
func listen(end func(error), pass func(syscall.Signal)) (hurry <-chan struct{}, stop func()) {
	signals, over, done := make(chan os.Signal, 16), make(chan struct{}), make(chan struct{})
	now := make(chan struct{})
	signal.Notify(signals, append(passed, syscall.SIGTERM, syscall.SIGINT)...)
	go func() {
		defer close(done)
		for asked := 0; ; {
			select {
			case <-over:
				return
			case s := <-signals:
				if s != syscall.SIGTERM && s != syscall.SIGINT {
					pass(s.(syscall.Signal))
					continue
				}
				switch asked++; asked {
				case 1:
					end(fmt.Errorf("%w by %v", errAsked, s))
				case 2:
					close(now)
				}
			}
		}
	}()
	return now, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(over)
		<-done
	})
}
