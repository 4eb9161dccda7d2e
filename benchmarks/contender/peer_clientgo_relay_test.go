package contender

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

func TestThePeerBehindARelayRefusesToContendWithoutOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := good()
	o.Peer = "client-go-relay"
	require.NoError(t, o.Validate())
	contend := func(server string) error {
		return peers[o.Peer].contend(ctx, o, &rest.Config{Host: server}, func(context.Context) {}, func(string) {})
	}
	require.NoError(t, contend(RelayServer))
	require.ErrorContains(t, contend("https://198.19.0.1"), "the kubeconfig leads to https://198.19.0.1")
	assert.True(t, Relayed(o.Peer))
	assert.False(t, Relayed("client-go"))
	assert.NotContains(t, Compared(), o.Peer, "not every measurement starts a relay")
}
