package dialer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

func TestZeroFieldsAreDerivedFromAnswer(t *testing.T) {
	for name, c := range map[string]struct{ given, want Budget }{
		"five seconds": {
			Budget{Answer: 5 * time.Second},
			Budget{Answer: 5 * time.Second, Open: 5 * time.Second, MaxBody: 16 << 20, Hedge: 250 * ms, Connect: 1250 * ms, DialHedge: 125 * ms, Silence: 1250 * ms},
		},
		"long": {
			Budget{Answer: time.Minute},
			Budget{Answer: time.Minute, Open: time.Minute, MaxBody: 16 << 20, Hedge: time.Second, Connect: 15 * time.Second, DialHedge: 500 * ms, Silence: 15 * time.Second},
		},
		"short": {
			Budget{Answer: 600 * ms},
			Budget{Answer: 600 * ms, Open: 600 * ms, MaxBody: 16 << 20, Hedge: 50 * ms, Connect: 500 * ms, DialHedge: 25 * ms, Silence: 500 * ms},
		},
		"too short for the floors": {
			Budget{Answer: 40 * ms},
			Budget{Answer: 40 * ms, Open: 40 * ms, MaxBody: 16 << 20, Hedge: 20 * ms, Connect: 40 * ms, DialHedge: 10 * ms, Silence: 40 * ms},
		},
		"what is set stays": {
			Budget{Mode: NewConnections, Answer: time.Second, Open: time.Hour, Upload: time.Minute, MaxBody: 5, Hedge: -1, Connect: 300 * ms, DialHedge: -1, Silence: -1},
			Budget{Mode: NewConnections, Answer: time.Second, Open: time.Hour, Upload: time.Minute, MaxBody: 5, Hedge: -1, Connect: 300 * ms, DialHedge: -1, Silence: -1},
		},
		"nothing to derive from": {Budget{}, Budget{}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, c.given.WithDefaults())
			assert.Equal(t, c.want, c.want.WithDefaults(), "completing twice changes nothing")
		})
	}
}

func TestDerivedBoundsAlwaysFit(t *testing.T) {
	for answer := 4 * time.Nanosecond; answer < 48*time.Hour; answer = answer*3/2 + 1 {
		require.NoError(t, Budget{Answer: answer}.Validate(), "Answer %v", answer)
		require.NoError(t, Budget{Answer: answer, Hedge: -1}.Validate(), "Answer %v without hedges", answer)
		attempts := Budget{Answer: answer}.WithDefaults().attempts()
		require.True(t, attempts >= attemptsFloor && attempts <= attemptsCap, "Answer %v: %d attempts", answer, attempts)
	}
}

func TestContradictingBoundsAreNamed(t *testing.T) {
	for want, budget := range map[string]Budget{
		"Budget.Mode is 9, it must be keep-connections (0) or new-connections (1)": {Mode: 9, Answer: time.Second},
		"Budget.Answer is 0s, it must be positive":                                 {},
		"Budget.Answer is -1s, it must be positive":                                {Answer: -time.Second},
		"Budget.Hedge is 1s, it must be less than Answer (1s)":                     {Answer: time.Second, Hedge: time.Second},
		"Budget.Connect is -1ms, it must not be negative":                          {Answer: time.Second, Connect: -ms},
		"Budget.Connect is 2s, it must not be more than Answer (1s)":               {Answer: time.Second, Connect: 2 * time.Second},
		"Budget.Open is -1ms, it must not be negative":                             {Answer: time.Second, Open: -ms},
		"Budget.Upload is -1ms, it must not be negative":                           {Answer: time.Second, Upload: -ms},
		"Budget.MaxBody is -1 bytes, it must not be negative":                      {Answer: time.Second, MaxBody: -1},
		"Budget.DialHedge is 300ms, it must be less than Connect (200ms)":          {Answer: time.Second, Connect: 200 * ms, DialHedge: 300 * ms},
	} {
		assert.ErrorContains(t, budget.Validate(), want)
	}
}
