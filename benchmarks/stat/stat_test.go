package stat

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMedianAndP99AreValuesThatOccurred(t *testing.T) {
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	for name, c := range map[string]struct {
		values []float64
		want   Stat[float64]
	}{
		"none":    {nil, Stat[float64]{}},
		"one":     {[]float64{3}, Stat[float64]{1, 3, 3, 3, 3}},
		"even":    {[]float64{4, 1, 3, 2}, Stat[float64]{4, 1, 2, 4, 4}},
		"hundred": {hundred, Stat[float64]{100, 1, 50, 99, 100}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, Of(c.values)) })
	}
}
