package dialer

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestModeZeroValueKeepsConnections(t *testing.T) {
	var mode Mode
	assert.Equal(t, KeepConnections, mode)
	assert.Equal(t, "keep-connections", mode.String())
	assert.Equal(t, "Mode(7)", Mode(7).String())
}

func TestModeServesAsAFlag(t *testing.T) {
	var mode Mode
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(t.Output())
	flags.TextVar(&mode, "mode", KeepConnections, "")
	require.NoError(t, flags.Parse([]string{"-mode", "new-connections"}))
	assert.Equal(t, NewConnections, mode)
	require.ErrorContains(t, flags.Parse([]string{"-mode", "Fresh"}), `"Fresh" is neither "keep-connections" nor "new-connections"`)
	assert.Equal(t, NewConnections, mode, "a bad text leaves the mode as it was")
}

func TestUnknownModeHasNoText(t *testing.T) {
	_, err := Mode(-1).MarshalText()
	require.ErrorContains(t, err, "mode -1")
}

func FuzzModeText(f *testing.F) {
	f.Add([]byte("keep-connections"))
	f.Add([]byte("new-connections"))
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
