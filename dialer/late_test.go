package dialer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is due sooner than was thought, since the last attempt under way has failed or
// answers have become quick, is no timer that has fired late.
func TestWhatFallsDueInThePastIsNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(after(400*ms, broken), after(400*ms, broken), after(400*ms, broken), answer(200, "well"))
		rt := &Transport{Base: base, Budget: Budget{Answer: 4 * time.Second, Hedge: 50 * ms}}
		for range 20 {
			rt.learned.answered(time.Second, 50*ms) // hedges wait
		}
		response, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, "well", bodyOf(t, response))
		assert.EqualValues(t, 4, base.sent.Load())
		assert.Zero(t, process.now(time.Now()), "this process has all the CPU it needs")
	})
}
