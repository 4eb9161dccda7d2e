package dialer

import "sync"

const (
	bucketSize = 10.0 // further attempts that may go out in a burst
	bucketEarn = 0.1  // what each request adds: in the long run one further attempt in ten requests
)

// bucket is the budget that keeps further attempts from adding to an overload. It starts
// full. Its zero value is useful; it is safe for concurrent use.
type bucket struct {
	mu   sync.Mutex
	debt float64 // what is missing from a full bucket
}

// earn adds the share of one request, a quarter of it where this process or the server is
// slow: an overload lasts, and a share of ten per cent of new connections is more work
// than all the requests.
func (b *bucket) earn(slow bool) {
	if slow {
		b.add(bucketEarn / 4)
		return
	}
	b.add(bucketEarn)
}

// refund returns n tokens that turned out not to have been a load on anyone.
func (b *bucket) refund(n int) { b.add(float64(n)) }

// spend takes one token, or reports that there is none.
func (b *bucket) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A hundred earnings of a tenth must buy ten hedges, rounding notwithstanding.
	const rounding = 1e-9
	if b.debt+1 > bucketSize+rounding {
		return false
	}
	b.debt++
	return true
}

// charge takes a token on credit, as much as a bucket at most.
func (b *bucket) charge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.debt = min(b.debt+1, 2*bucketSize)
}

func (b *bucket) add(tokens float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.debt = max(b.debt-tokens, 0)
}
