package dialer

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What follows compares with client-go by sub-benchmarks: benchstat -col /impl.
// Where client-go is said, it is what client-go uses: a net.Dialer, an
// http.Transport.

// swallow accepts connections on loopback and closes them when their peers do.
func swallow(b *testing.B) string {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(b, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	b.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// BenchmarkDial is a dial that is answered at once, and the closing.
func BenchmarkDial(b *testing.B) {
	for _, impl := range []struct {
		name string
		dial dialFunc
	}{
		{"impl=holdfast", new(Dialer).DialContext},
		{"impl=client-go", (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext},
	} {
		b.Run(impl.name, func(b *testing.B) {
			address := swallow(b)
			b.ReportAllocs()
			for b.Loop() {
				conn, err := impl.dial(context.Background(), "tcp4", address)
				if err != nil {
					b.Fatal(err)
				}
				// No TIME_WAIT: a long run would use up the ports of loopback.
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		})
	}
}

// BenchmarkRoundTrip is a small request on a connection that is kept, without
// TLS: what the bounds and the readiness to hedge add to net/http.
func BenchmarkRoundTrip(b *testing.B) {
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	for _, impl := range []struct {
		name      string
		transport http.RoundTripper
	}{
		{"impl=holdfast", &Transport{Base: base, Budget: Budget{Answer: 10 * time.Second}}},
		{"impl=client-go", base},
	} {
		b.Run(impl.name, func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
			defer server.Close()
			client := &http.Client{Transport: impl.transport}
			b.ReportAllocs()
			for b.Loop() {
				answer, err := client.Get(server.URL)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
			base.CloseIdleConnections()
		})
	}
}

// oneCall is a call that has one attempt under way, as when its hedge falls due.
func oneCall() *call {
	c := &call{transport: &Transport{}, budget: Budget{Answer: 10 * time.Second}.WithDefaults()}
	c.attempts, c.underway = []*attempt{{}}, 1
	return c
}

// BenchmarkHedgeDecision is what is decided when a hedge falls due: whether
// there may be one more attempt, and whether the budget allows it.
func BenchmarkHedgeDecision(b *testing.B) {
	c := oneCall()
	b.ReportAllocs()
	for b.Loop() {
		if c.another() && c.mayHedge() {
			c.transport.tokens.refund(1)
		}
		c.transport.tokens.earn(false)
	}
}

// Each way of the decision is counted by itself, for AllocsPerRun rounds down.
func TestTheHedgeDecisionAllocatesNothing(t *testing.T) {
	const runs = 100
	for _, yes := range []bool{true, false} {
		c := oneCall()
		if !yes {
			drain(&c.transport.tokens)
		}
		decided := 0
		allocs := testing.AllocsPerRun(runs, func() {
			if hedge := c.another() && c.mayHedge(); hedge == yes {
				decided++
			}
			if yes {
				c.transport.tokens.refund(1)
			}
		})
		assert.Zero(t, allocs, "hedge: %v", yes)
		assert.Equal(t, runs+1, decided, "hedge: %v", yes)
	}
}

func TestTheBoundsAllocateNothing(t *testing.T) {
	budget := Budget{Answer: 10 * time.Second}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if budget.Validate() != nil || budget.WithDefaults().attempts() == 0 {
			t.Error("a budget that can be kept")
		}
	}))
}
