package witness

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/holdfast-go/holdfast/internal/death"
)

// A Group is several witnesses that are asked at once. The first proof counts. It
// is a Witness itself, whose testimony has those of all.
//
// It stands between an elector and what others have written: a witness that panics
// has failed, one that does not return is left behind when ctx ends, and of one that
// never returns at most a handful of calls are ever under way.
type Group struct{ members []*member }

var _ Witness = (*Group)(nil)

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9./-]{0,61}[a-z0-9])?$`)

// NewGroup returns the group of the given witnesses, which may be none. Those with a
// name that is not valid, or is another's, are an error. Each elector makes a Group
// of its own; the witnesses in it may be shared.
func NewGroup(witnesses ...Witness) (*Group, error) {
	g := &Group{}
	var names []string
	for i, w := range witnesses {
		if w == nil {
			return nil, fmt.Errorf("witness %d of %d is nil", i+1, len(witnesses))
		}
		name := w.Name()
		if !validName.MatchString(name) {
			return nil, fmt.Errorf("witness %d of %d has the name %s: it must be 1 to 63 of a-z, 0-9, '.', '-' and '/', with a letter or digit at either end", i+1, len(witnesses), death.Quote(name))
		}
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("two witnesses have the name %q, by which a testimony finds its witness", name)
		}
		names = append(names, name)
		g.members = append(g.members, &member{name: name, witness: w})
	}
	return g, nil
}

// Name implements Witness.
func (g *Group) Name() string { return "group" }

// Leave implements Witness. It asks all witnesses at once and returns the testimonies
// of those that have left one before ctx ended, and an error that says what kept the
// others from it. Both may be there; the testimony is "" where nobody has left any.
func (g *Group) Leave(ctx context.Context) (string, error) {
	type left struct {
		name, testimony string
		err             error
	}
	answers := make(chan left, len(g.members))
	for _, m := range g.members {
		go func() {
			testimony, err := m.leave(ctx)
			answers <- left{m.name, testimony, err}
		}()
	}
	all := testimonies{}
	var errs []error
	for range g.members {
		if a := <-answers; a.err != nil {
			errs = append(errs, a.err)
		} else {
			all[a.name] = a.testimony
		}
	}
	return all.String(), errors.Join(errs...)
}

// Await implements Witness. It returns the first proof that any witness has about
// its testimony, and an error that wraps ErrNoProof when none will have one.
func (g *Group) Await(ctx context.Context, testimony string) (Proof, error) {
	all, err := parseTestimonies(testimony)
	if err != nil {
		return Proof{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		proof Proof
		err   error
	}
	answers := make(chan answer, len(g.members))
	asked := 0
	for _, m := range g.members {
		of, has := all[m.name]
		if !has {
			continue
		}
		asked++
		go func() {
			proof, err := m.await(ctx, of)
			answers <- answer{proof, err}
		}()
	}
	var errs []error
	for range asked {
		a := <-answers
		if a.err == nil {
			return a.proof.within(testimony), nil
		}
		errs = append(errs, a.err)
	}
	if ctx.Err() != nil {
		return Proof{}, context.Cause(ctx)
	}
	if asked == 0 {
		return Proof{}, noProof("none of the witnesses here has left a testimony there")
	}
	return Proof{}, noProof("none of the witnesses knows: %w", errors.Join(errs...))
}

// within returns p as a proof about the testimony of a group, of which its own is a
// part.
func (p Proof) within(group string) Proof {
	own := p
	p.Testimony = group
	p.Again = func(ctx context.Context) error { return own.Check(ctx, own.Testimony) }
	return p
}
