package lab

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAliasesAreOfOneHostAlone(t *testing.T) {
	l := sharedLab(t)
	lookUp := func(h *Host) string {
		var out bytes.Buffer
		p, err := h.Start(Command{Path: "/proc/self/exe", Env: []string{modeVariable + "=resolve"}, Stdout: &out})
		require.NoError(t, err)
		require.NoError(t, p.Wait())
		return out.String()
	}
	aliased, other := newHost(t, l, "aliased"), newHost(t, l, "unaliased")
	require.NoError(t, aliased.SetAliases(netip.MustParseAddr("198.18.0.77"), "elsewhere", "relay.example"))
	assert.Equal(t, "198.18.0.77", lookUp(aliased))
	require.NoError(t, aliased.SetAliases(netip.MustParseAddr("198.18.0.78"), "relay.example"))
	assert.Equal(t, "198.18.0.78", lookUp(aliased), "the later ones hold")
	assert.Equal(t, "unknown", lookUp(other))
}
