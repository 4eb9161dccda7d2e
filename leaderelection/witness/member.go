package witness

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"unicode/utf8"
)

// member is a witness of a group, and what keeps the group from its faults.
type member struct {
	name    string
	witness Witness
	calls   chan struct{} // one for each call that has not returned
}

// mostCalls is how many calls of one witness may be under way. An elector makes one
// at a time; more are there only where a witness goes on after its context has ended.
const mostCalls = 8

func newMember(name string, w Witness) *member {
	return &member{name: name, witness: w, calls: make(chan struct{}, mostCalls)}
}

func (m *member) leave(ctx context.Context) (string, error) {
	testimony, err := guard(ctx, m, "Leave", m.witness.Leave)
	switch {
	case err != nil:
		return "", err
	case testimony == "":
		return "", fmt.Errorf("witness %q: its testimony is empty", m.name)
	case len(testimony) > MaxTestimony:
		return "", fmt.Errorf("witness %q: its testimony has %d bytes, and may have %d", m.name, len(testimony), MaxTestimony)
	case !utf8.ValidString(testimony):
		return "", fmt.Errorf("witness %q: its testimony %s is not valid UTF-8", m.name, quote(testimony))
	}
	return testimony, nil
}

func (m *member) await(ctx context.Context, testimony string) (Proof, error) {
	proof, err := guard(ctx, m, "Await", func(ctx context.Context) (Proof, error) {
		return m.witness.Await(ctx, testimony)
	})
	if err != nil {
		return Proof{}, err
	}
	if proof.Testimony == "" || proof.Testimony != testimony {
		return Proof{}, fmt.Errorf("witness %q: its proof is about %s and not about %s", m.name, quote(proof.Testimony), quote(testimony))
	}
	proof.Witness = m.name
	if again := proof.Again; again != nil {
		proof.Again = func(ctx context.Context) error {
			_, err := guard(ctx, m, "Proof.Again", func(ctx context.Context) (struct{}, error) { return struct{}{}, again(ctx) })
			return err
		}
	}
	return proof, nil
}

// guard calls f for a witness. It returns when ctx has ended, whatever f does, and
// what f panics with is an error.
func guard[T any](ctx context.Context, m *member, what string, f func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	ended := func() error {
		return fmt.Errorf("witness %q: %s has not returned: %w", m.name, what, context.Cause(ctx))
	}
	if ctx.Err() != nil {
		return none, ended()
	}
	select {
	case m.calls <- struct{}{}:
	case <-ctx.Done():
		return none, ended()
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: errors.New("it ended its goroutine")}
		defer func() {
			if p := recover(); p != nil {
				o = outcome{err: fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())}
			}
			if o.err != nil {
				o.err = fmt.Errorf("witness %q: %s: %w", m.name, what, o.err)
			}
			<-m.calls
			done <- o
		}()
		o.value, o.err = f(ctx)
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		return none, ended()
	}
}
