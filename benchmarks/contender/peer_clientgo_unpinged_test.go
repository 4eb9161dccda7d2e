package contender

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

func TestTheUnpingedPeerSwitchesPingsOffBeforeItContends(t *testing.T) {
	t.Setenv(PingVariable, "30")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := good()
	o.Peer = "client-go-unpinged"
	require.NoError(t, o.Validate())
	seen := ""
	config := &rest.Config{Host: "http://127.0.0.1:1"}
	require.NoError(t, peers[o.Peer].contend(ctx, o, config, func(context.Context) {}, func(string) { seen = os.Getenv(PingVariable) }))
	assert.Equal(t, "0", seen, "when the elector had run")
}
