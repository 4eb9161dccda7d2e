package dialer

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// fare is what becomes of a dial to an address: it ends so long after it began, with a
// connection unless it fails, whether or not it has been told to end before. A zero fare
// is a dial that goes unanswered until it is told to end.
type fare struct {
	after time.Duration
	fails bool
}

// The next race begins with the better address, whatever the one before came to.
func TestEveryRaceIsLearnedFrom(t *testing.T) {
	const hedge, bound = 250 * ms, time.Second
	late := func(d time.Duration) fare { return fare{after: d} }
	for name, c := range map[string]struct {
		a, b  fare
		bad   string        // lost a race before
		hedge time.Duration // in place of the usual
		gives time.Duration // after which the caller gives up
		until time.Duration // the caller's deadline
		want  []string
	}{
		"the first is silent, and no other has its try":    {hedge: time.Minute, want: []string{"b:1", "a:1"}},
		"the first is silent until the caller's deadline":  {until: 100 * ms, want: []string{"b:1", "a:1"}},
		"the first is silent, the caller gives up":         {gives: 300 * ms, want: []string{"b:1", "a:1"}},
		"the caller gives up at once":                      {gives: 10 * ms, want: []string{"a:1", "b:1"}},
		"the first fails, the caller gives up":             {a: fare{ms, true}, gives: 10 * ms, want: []string{"b:1", "a:1"}},
		"the second fails when the first has won":          {a: late(300 * ms), b: fare{100 * ms, true}, want: []string{"a:1", "b:1"}},
		"the second connects when the first has won":       {a: late(300 * ms), b: late(60 * ms), bad: "b:1", want: []string{"b:1", "a:1"}},
		"the first connects when the second has won":       {a: late(400 * ms), b: late(60 * ms), want: []string{"b:1", "a:1"}},
		"the first fails when the second has won":          {a: fare{400 * ms, true}, b: late(60 * ms), want: []string{"b:1", "a:1"}},
		"the second is told to end when the first has won": {a: late(300 * ms), want: []string{"b:1", "a:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				targets, f := []string{"a:1", "b:1"}, new(addressHistory)
				if c.bad != "" {
					f.lost(time.Now(), c.bad)
				}
				r := &race{
					network: "tcp", address: "name:1", bound: bound, hedge: hedge, winner: -1,
					crowd: new(crowd), tokens: new(bucket), history: f,
					results: make(chan dialled), over: make(chan struct{}),
					resolve: func(context.Context) ([]string, error) { return f.order(targets, time.Now()), nil },
					dial: func(ctx context.Context, _, address string) (net.Conn, error) {
						fare := map[string]fare{"a:1": c.a, "b:1": c.b}[address]
						if fare.after == 0 {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						time.Sleep(fare.after)
						if fare.fails {
							return nil, errors.New("refused")
						}
						ours, theirs := net.Pipe()
						return ours, theirs.Close()
					},
				}
				if c.hedge > 0 {
					r.hedge = c.hedge
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.until > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.until)
					defer cancel()
				}
				if c.gives > 0 {
					time.AfterFunc(c.gives, cancel)
				}
				if conn, err := r.run(ctx); err == nil {
					_ = conn.Close()
				}
				time.Sleep(time.Second) // what is late comes
				synctest.Wait()
				assert.Equal(t, c.want, f.order(targets, time.Now()))
			})
		})
	}
}
