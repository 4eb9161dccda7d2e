package witness

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// scripted is a witness that does what a test says.
type scripted struct {
	name  string
	leave func(context.Context) (string, error)
	await func(context.Context, string) (Proof, error)
}

func (s scripted) Name() string                              { return s.name }
func (s scripted) Leave(ctx context.Context) (string, error) { return s.leave(ctx) }
func (s scripted) Await(ctx context.Context, testimony string) (Proof, error) {
	return s.await(ctx, testimony)
}

// honest leaves its name, and proves after d.
func honest(name string, d time.Duration) scripted {
	return scripted{name,
		func(context.Context) (string, error) { return "of " + name, nil },
		func(ctx context.Context, testimony string) (Proof, error) {
			if err := sleep(ctx, d); err != nil {
				return Proof{}, err
			}
			return Proof{Testimony: testimony, Evidence: "seen by " + name}, nil
		}}
}

func mustGroup(t *testing.T, witnesses ...Witness) *Group {
	t.Helper()
	g, err := NewGroup(witnesses...)
	require.NoError(t, err)
	return g
}

func TestTheFirstProofCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, honest("slow", time.Hour), honest("quick", time.Second), honest("late", time.Minute))
		testimony, err := g.Leave(t.Context())
		require.NoError(t, err)
		assert.JSONEq(t, `{"late":"of late","quick":"of quick","slow":"of slow"}`, testimony)
		start := time.Now()
		proof, err := g.Await(t.Context(), testimony)
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, "quick", proof.Witness)
		assert.Equal(t, "seen by quick", proof.Evidence)
		require.NoError(t, proof.Check(t.Context(), testimony))
		require.Error(t, proof.Check(t.Context(), `{"quick":"of quick"}`), "it is about what stood there")
		require.Error(t, Proof{}.Check(t.Context(), ""))
	})
}

func TestAProofIsCheckedAnew(t *testing.T) {
	holds := true
	w := honest("w", 0)
	w.await = func(_ context.Context, testimony string) (Proof, error) {
		return Proof{Testimony: testimony, Again: func(context.Context) error {
			if holds {
				return nil
			}
			panic("it lives")
		}}, nil
	}
	proof, err := mustGroup(t, w).Await(t.Context(), `{"w":"x"}`)
	require.NoError(t, err)
	require.NoError(t, proof.Check(t.Context(), `{"w":"x"}`))
	holds = false
	require.ErrorContains(t, proof.Check(t.Context(), `{"w":"x"}`), "the call panicked: it lives")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, proof.Check(ended, `{"w":"x"}`), context.Canceled)
}

func TestAWitnessThatFailsCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		bad := map[string]scripted{
			"panics": {"", func(context.Context) (string, error) { panic("no") }, func(context.Context, string) (Proof, error) { panic("no") }},
			"fails": {"", func(context.Context) (string, error) { return "half", errors.New("no") },
				func(_ context.Context, testimony string) (Proof, error) {
					return Proof{Testimony: testimony}, errors.New("no")
				}},
			"exits": {"", func(context.Context) (string, error) { runtime.Goexit(); return "", nil },
				func(context.Context, string) (Proof, error) { runtime.Goexit(); return Proof{}, nil }},
			"hangs": {"", func(context.Context) (string, error) { <-hang; return "late", nil },
				func(_ context.Context, testimony string) (Proof, error) {
					<-hang
					return Proof{Testimony: testimony}, nil
				}},
			"empty": {"", func(context.Context) (string, error) { return "", nil }, func(context.Context, string) (Proof, error) { return Proof{}, nil }},
			"other": {"", func(context.Context) (string, error) { return strings.Repeat("x", MaxTestimony+1), nil },
				func(context.Context, string) (Proof, error) { return Proof{Testimony: "of another"}, nil }},
			"binary": {"", func(context.Context) (string, error) { return "\xff", nil }, func(context.Context, string) (Proof, error) { return Proof{}, nil }},
		}
		witnesses := []Witness{honest("good", time.Minute)}
		said := `{"good":"of good"`
		for name, w := range bad {
			w.name = name
			witnesses = append(witnesses, w)
			said += `,"` + name + `":"something"`
		}
		said += "}"
		g := mustGroup(t, witnesses...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		testimony, err := g.Leave(ctx)
		assert.Equal(t, `{"good":"of good"}`, testimony)
		for name := range bad {
			assert.ErrorContains(t, err, `witness "`+name+`"`)
		}
		start := time.Now()
		proof, err := g.Await(t.Context(), said)
		require.NoError(t, err)
		assert.Equal(t, "good", proof.Witness)
		assert.Equal(t, time.Minute, time.Since(start))

		// Without the good one nobody knows, and the one that hangs is left behind.
		g = mustGroup(t, witnesses[1:]...)
		ctx, cancel = context.WithTimeoutCause(t.Context(), time.Hour, errors.New("the lease has ended"))
		defer cancel()
		_, err = g.Await(ctx, said)
		require.EqualError(t, err, "the lease has ended")
		close(hang)
	})
}

func TestOfAWitnessThatNeverReturnsFewCallsAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, calls := make(chan struct{}), 0
		w := scripted{name: "w", await: func(context.Context, string) (Proof, error) {
			calls++
			<-hang
			return Proof{}, errors.New("no")
		}}
		g := mustGroup(t, w)
		for range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := g.Await(ctx, `{"w":"x"}`)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
			synctest.Wait()
		}
		assert.Equal(t, bounded.Most, calls)
		close(hang)
	})
}

func TestWhereNobodyKnowsTheAnswerComesAtOnce(t *testing.T) {
	silent := scripted{"silent", nil, func(context.Context, string) (Proof, error) { return Proof{}, noProof("of another place") }}
	g := mustGroup(t, silent, honest("good", time.Minute))
	for _, testimony := range []string{
		"", "{", "null", "[]", `"x"`, `{"silent":1}`, `{}`, `{"stranger":"x"}`, `{"silent":"x"}`, "\x00", strings.Repeat(" ", 1<<20) + "{}",
	} {
		_, err := g.Await(t.Context(), testimony)
		require.ErrorIs(t, err, ErrNoProof, "%.20q", testimony)
		assert.Less(t, len(err.Error()), 500)
	}
	testimony, err := mustGroup(t).Leave(t.Context())
	require.NoError(t, err)
	assert.Empty(t, testimony)
}

func TestNamesOfWitnessesAreChecked(t *testing.T) {
	for _, name := range []string{"", "Process", "a b", "-a", "a/", strings.Repeat("a", 64), "a\x00"} {
		_, err := NewGroup(scripted{name: name})
		assert.ErrorContains(t, err, "letter or digit at either end", name)
	}
	_, err := NewGroup(Process{}, Process{})
	require.ErrorContains(t, err, `two witnesses have the name "process"`)
	_, err = NewGroup(nil)
	require.ErrorContains(t, err, "witness 1 of 1 is nil")
	mustGroup(t, Process{}, &Pod{}, mustGroup(t), scripted{name: "cloud.example.com/instance"})
}

func TestTestimoniesThatAreTooLongTogetherAreLeftOut(t *testing.T) {
	all := testimonies{}
	for i := range 20 {
		all[string(rune('a'+i))] = strings.Repeat("x", MaxTestimony)
	}
	read, err := parseTestimonies(all.String())
	require.NoError(t, err)
	assert.Len(t, read, 7)
	assert.Contains(t, read, "a")
}

func FuzzTestimonies(f *testing.F) {
	f.Add(`{"process":"x","pod":"y"}`)
	f.Add(`{"a":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		if read, err := parseTestimonies(text); err == nil && len(read) > 0 {
			again, err := parseTestimonies(read.String())
			require.NoError(t, err)
			assert.LessOrEqual(t, len(again), len(read))
		}
	})
}
