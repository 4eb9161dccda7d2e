package witness

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/death"
)

// A Witness knows when a process is dead. Its methods may be called at once from
// many goroutines.
type Witness interface {
	// Name is the witness's name in the Lease, in the log and in metrics: 1 to 63
	// of a-z, 0-9, '.', '-' and '/', a letter or digit at either end. All contenders
	// must mean the same by it; a third party puts a domain of its own before it.
	Name() string

	// Leave returns the testimony of this process: valid UTF-8 of at most
	// MaxTestimony bytes, by which Await of the same witness in another process
	// tells it from every other process, those of the past and of other machines
	// included. A contender calls it before its first write, and may call it again.
	//
	// From then on, nothing may lead Await to a proof while this process could
	// still act. An error says what keeps the witness from that, and costs nothing.
	Leave(ctx context.Context) (testimony string, err error)

	// Await returns as soon as it has a proof that the process that left the
	// testimony is dead. What may pass, such as an API that cannot be reached, it
	// tries again by itself, with pauses that grow. It returns an error that wraps
	// ErrNoProof when it will never know, and the cause of ctx when that has ended.
	//
	// The testimony is what stands in the Lease: whoever may write there may have
	// made it up, and Await must bear whatever it is.
	Await(ctx context.Context, testimony string) (Proof, error)
}

// MaxTestimony is how long the testimony of one witness may be, in bytes.
const MaxTestimony = 1024

// ErrNoProof is wrapped by the error of Await when the witness cannot prove
// anything about the testimony, now or later: it is another place's, the process's
// own, or no testimony at all.
var ErrNoProof = errors.New("no proof can be had")

// A Proof says that the process that left a testimony is dead. The zero value
// proves nothing.
type Proof struct {
	// Witness is the name of the witness that has it. A Group sets it.
	Witness string
	// Testimony is what the process had left: the argument of Await.
	Testimony string
	// Evidence says for the log what the witness has seen.
	Evidence string
	// Again looks anew, and returns an error where the proof cannot be had once
	// more. Nil means that what was seen stays true.
	Again func(ctx context.Context) error
}

// Check returns nil if this is a proof about the testimony and still holds. Whoever
// acts on a proof calls it right before, with the testimony that stands in the
// Lease at that moment.
func (p Proof) Check(ctx context.Context, testimony string) error {
	if p.Testimony == "" || p.Testimony != testimony {
		return fmt.Errorf("the proof is about %s and not about %s", death.Quote(p.Testimony), death.Quote(testimony))
	}
	if p.Again == nil {
		return nil
	}
	return p.Again(ctx)
}

// noProof returns an error that wraps ErrNoProof and says why.
func noProof(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNoProof, fmt.Errorf(format, args...))
}

// bearable returns an error if a testimony is longer than any that is left.
func bearable(testimony string) error {
	if len(testimony) > MaxTestimony {
		return noProof("a testimony of %d bytes, and it may have %d", len(testimony), MaxTestimony)
	}
	return nil
}
