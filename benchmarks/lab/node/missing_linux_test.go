package node

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsMissingIsSaidWithThePackageThatHasIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := missing()
	for _, part := range []string{"containerd is missing, Debian's package containerd has it", "ctr is missing", "containerd-shim-runc-v2 is missing", "runc is missing, Debian's package runc has it"} {
		require.ErrorContains(t, err, part)
	}
	if os.Geteuid() != 0 {
		require.ErrorContains(t, err, "it takes root")
	}
}

func TestOptionsThatAreMissingAreNamed(t *testing.T) {
	require.ErrorContains(t, Options{Pause: Image{Reference: "local.test/pause:1"}}.check(), "there is no kubelet: call node.Enter")
	require.ErrorContains(t, Options{Kubelet: "/kubelet"}.check(), "Options.Pause is empty")
}
