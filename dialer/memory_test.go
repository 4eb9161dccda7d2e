package dialer_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/stretchr/testify/require"
)

// memory is a network of one virtual IP, in memory: what it does to a dial, to
// a connection and to a request is drawn anew for each. It is for virtual time.
type memory struct {
	mu   sync.Mutex // siblings dial at the same time
	rand *rand.Rand

	vanish   float64                                     // the share of dials that nobody answers
	lifetime func(*rand.Rand) time.Duration              // after which a connection goes silent; nil: it does not
	answers  int                                         // after which it goes silent, too; zero: it does not
	latency  func(r *rand.Rand) (answered time.Duration) // of an answer
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	m.mu.Lock()
	seed, vanishes := m.rand.Uint64(), m.rand.Float64() < m.vanish
	m.mu.Unlock()
	if vanishes {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	client, server := net.Pipe()
	go m.serve(server, rand.New(rand.NewPCG(seed, 1)))
	return client, nil
}

func (m *memory) serve(server net.Conn, r *rand.Rand) {
	defer func() { _ = server.Close() }()
	dies := time.Duration(math.MaxInt64)
	if m.lifetime != nil {
		dies = m.lifetime(r)
	}
	born, reader := time.Now(), bufio.NewReader(server)
	for n := 0; ; n++ {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		time.Sleep(m.latency(r))
		if time.Since(born) >= dies || m.answers > 0 && n >= m.answers {
			_, _ = io.Copy(io.Discard, reader) // acknowledged, and never answered
			return
		}
		if _, err := io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// client returns a Transport over the network.
func (m *memory) client(budget dialer.Budget) *dialer.Transport {
	budget = budget.WithDefaults()
	d := &dialer.Dialer{Connect: budget.Connect, Hedge: budget.DialHedge, Silence: -1, Dial: m.dial}
	return &dialer.Transport{Budget: budget, Base: &http.Transport{DialContext: d.DialContext}}
}

// put sends one renewal and reads the answer.
func put(t *testing.T, rt http.RoundTripper) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://192.0.2.1/lease", http.NoBody)
	require.NoError(t, err)
	response, err := rt.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func uniform(from, to time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
}

// logNormal draws around a median as the answers of a server do.
func logNormal(median time.Duration, sigma float64) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration {
		return time.Duration(float64(median) * math.Exp(sigma*r.NormFloat64()))
	}
}

// sometimes draws from rare with the given chance, else from usual.
func sometimes(chance float64, rare, usual func(*rand.Rand) time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration {
		if r.Float64() < chance {
			return rare(r)
		}
		return usual(r)
	}
}

// spread says median, 99th percentile and maximum.
func spread(times []time.Duration) string {
	times = slices.Sorted(slices.Values(times))
	at := func(q float64) time.Duration { return times[int(q*float64(len(times)-1))].Round(time.Millisecond) }
	return fmt.Sprintf("median %v, p99 %v, max %v", at(0.5), at(0.99), at(1))
}
