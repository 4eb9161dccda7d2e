package matrix

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheNameserverAnswersGosResolver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n := newNameserver(l)
	t.Cleanup(func() { require.NoError(t, n.close()) })
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", l.Addr().String())
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	first, second := netip.MustParseAddr("198.18.0.6"), netip.MustParseAddr("198.18.0.10")
	n.set(first)
	addrs, err := resolver.LookupNetIP(ctx, "ip4", serverName)
	require.NoError(t, err)
	assert.Equal(t, []netip.Addr{first}, addrs)

	n.set(first, second)
	addrs, err = resolver.LookupNetIP(ctx, "ip", serverName)
	require.NoError(t, err)
	assert.ElementsMatch(t, []netip.Addr{first, second}, addrs)

	_, err = resolver.LookupNetIP(ctx, "ip4", "elsewhere.example.")
	var missing *net.DNSError
	require.ErrorAs(t, err, &missing)
	assert.True(t, missing.IsNotFound)
}
