package dialer

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestModeZeroValueIsUserTimeout(t *testing.T) {
	var mode Mode
	assert.Equal(t, UserTimeout, mode)
	assert.Equal(t, "user-timeout", mode.String())
	assert.Equal(t, "Mode(7)", Mode(7).String())
}

func TestModeServesAsAFlag(t *testing.T) {
	var mode Mode
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(t.Output())
	flags.TextVar(&mode, "mode", UserTimeout, "")
	require.NoError(t, flags.Parse([]string{"-mode", "fresh"}))
	assert.Equal(t, Fresh, mode)
	require.ErrorContains(t, flags.Parse([]string{"-mode", "Fresh"}), `"Fresh" is neither "user-timeout" nor "fresh"`)
	assert.Equal(t, Fresh, mode, "a bad text leaves the mode as it was")
}

func TestUnknownModeHasNoText(t *testing.T) {
	_, err := Mode(-1).MarshalText()
	require.ErrorContains(t, err, "mode -1")
}

func FuzzModeText(f *testing.F) {
	f.Add([]byte("user-timeout"))
	f.Add([]byte("fresh"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		var mode Mode
		if mode.UnmarshalText(text) != nil {
			return
		}
		again, err := mode.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, text, again)
	})
}
