package contender

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATimingIsReadAsItIsWritten(t *testing.T) {
	want := Timing{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 500 * time.Millisecond}
	line, err := json.Marshal(want)
	require.NoError(t, err)
	assert.JSONEq(t, `"15s/10s/500ms"`, string(line))
	var got Timing
	require.NoError(t, json.Unmarshal(line, &got))
	assert.Equal(t, want, got)
	for text, says := range map[string]string{
		"15s": "lease/renew deadline/retry period", "15s/10s/x": `"x"`, "15s/10s/0s": "retry period 0s", "": `timing ""`,
		"3s/500ms/500ms": "renew deadline 500ms: must be greater than the retry period", "2s/2s/500ms": "lease duration 2s: must be greater",
	} {
		assert.ErrorContains(t, got.UnmarshalText([]byte(text)), says)
	}
}
