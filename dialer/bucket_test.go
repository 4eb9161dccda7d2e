package dialer

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// drain spends until the bucket is empty and returns how many tokens it held.
func drain(b *bucket) (tokens int) {
	for b.spend() {
		tokens++
	}
	return tokens
}

func TestBucketBoundsHedges(t *testing.T) {
	repeat := func(n int, act func(*bucket)) func(*bucket) {
		return func(b *bucket) {
			for range n {
				act(b)
			}
		}
	}
	empty := func(b *bucket) { drain(b) }
	for name, c := range map[string]struct {
		acts []func(*bucket)
		want int
	}{
		"it starts full":                   {nil, 10},
		"it does not overflow":             {[]func(*bucket){repeat(1000, earned)}, 10},
		"nine requests earn no hedge":      {[]func(*bucket){empty, repeat(9, earned)}, 0},
		"ten requests earn one":            {[]func(*bucket){empty, repeat(10, earned)}, 1},
		"a hundred requests earn ten":      {[]func(*bucket){empty, repeat(100, earned)}, 10},
		"a refund counts in full":          {[]func(*bucket){empty, func(b *bucket) { b.refund(3) }}, 3},
		"a refund does not overflow it":    {[]func(*bucket){func(b *bucket) { b.refund(3) }}, 10},
		"an empty bucket owes no interest": {[]func(*bucket){empty, empty, repeat(10, earned)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var b bucket
			for _, act := range c.acts {
				act(&b)
			}
			assert.Equal(t, c.want, drain(&b))
		})
	}
}

func earned(b *bucket) { b.earn(false) }

func TestAnOverloadEarnsAQuarter(t *testing.T) {
	var b bucket
	drain(&b)
	for range 39 {
		b.earn(true)
	}
	assert.Zero(t, drain(&b))
	b = bucket{}
	drain(&b)
	for range 40 {
		b.earn(true)
	}
	assert.Equal(t, 1, drain(&b))
}
