package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func TestLeaderKeepsTheLeaseWhenTheAPIServersAreRestarted(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		assertKept(t, play(t, "api-restart", o))
	})
}

func TestLeaderKeepsTheLeaseWhenItsAPIServerIsOverloaded(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		f := play(t, "api-overloaded", o)
		assertKept(t, f)
		assert.LessOrEqual(t, f.RenewalLate.Value, 2*time.Second)
	})
}
