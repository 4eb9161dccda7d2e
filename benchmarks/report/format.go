package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// Stat describes the values of one figure over several samples.
type Stat = stat.Stat[float64]

// value writes v in the unit that the figure's name carries, with three
// digits: enough to compare, and no more than the laboratory can tell.
func value(figure string, v float64) string {
	switch {
	case strings.HasSuffix(figure, "_seconds"):
		return seconds(v)
	case strings.Contains(figure, "bytes_per_minute"):
		return size(v) + "/min"
	case strings.Contains(figure, "bytes"):
		return size(v)
	case strings.HasSuffix(figure, "cpu_seconds_per_minute"):
		return seconds(v) + "/min"
	case strings.HasSuffix(figure, "_per_minute"):
		return digits(v) + "/min"
	default:
		return digits(v)
	}
}

// seconds writes a duration, the unit by its size.
func seconds(v float64) string {
	switch size := math.Abs(v); {
	case size == 0:
		return "0 s"
	case size < 0.9995e-3:
		return digits(v*1e6) + " µs"
	case size < 0.9995:
		return digits(v*1e3) + " ms"
	default:
		return digits(v) + " s"
	}
}

// size writes a number of bytes, the unit by its size.
func size(v float64) string {
	switch size := math.Abs(v); {
	case size < 1<<10:
		return digits(v) + " B"
	case size < 1<<20:
		return digits(v/(1<<10)) + " KiB"
	default:
		return digits(v/(1<<20)) + " MiB"
	}
}

// digits writes a number with three digits, and whole from 100 on.
func digits(v float64) string {
	if v == 0 {
		return "0" // also for the negative zero
	}
	if math.Abs(v) >= 99.95 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// timingWords writes a timing as people say it: "15 s / 10 s / 2 s".
func timingWords(timing string) string {
	parts := strings.Split(timing, "/")
	for i, p := range parts {
		d, err := time.ParseDuration(p)
		if err != nil {
			return timing
		}
		parts[i] = seconds(d.Seconds())
	}
	return strings.Join(parts, " / ")
}

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
