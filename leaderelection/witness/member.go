package witness

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/internal/bounded"

	"github.com/holdfast-go/holdfast/internal/death"
)

// member is a witness of a group, and what keeps the group from its faults.
type member struct {
	name    string
	witness Witness
	calls   bounded.Calls
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
		return "", fmt.Errorf("witness %q: its testimony %s is not valid UTF-8", m.name, death.Quote(testimony))
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
		return Proof{}, fmt.Errorf("witness %q: its proof is about %s and not about %s", m.name, death.Quote(proof.Testimony), death.Quote(testimony))
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
	value, err := bounded.Do(ctx, ctx, &m.calls, f)
	var panicked *bounded.Panic
	switch {
	case errors.As(err, &panicked):
		err = fmt.Errorf("witness %q: %s: %w\n%s", m.name, what, err, panicked.Stack())
	case err != nil:
		err = fmt.Errorf("witness %q: %s: %w", m.name, what, err)
	}
	return value, err
}
