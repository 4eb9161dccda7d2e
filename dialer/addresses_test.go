package dialer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// samePort listens on one port of each host, as one name's servers do.
func samePort(t *testing.T, hosts ...string) (port string, listeners []net.Listener) {
	t.Helper()
	for range 20 {
		port, listeners = "0", nil
		var err error
		for _, host := range hosts {
			var listener net.Listener
			if listener, err = net.Listen("tcp", net.JoinHostPort(host, port)); err != nil {
				break
			}
			listeners = append(listeners, listener)
			port = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
		}
		if err == nil {
			for _, listener := range listeners {
				t.Cleanup(func() { _ = listener.Close() })
			}
			return port, listeners
		}
		for _, listener := range listeners {
			_ = listener.Close()
		}
		require.ErrorIs(t, err, syscall.EADDRINUSE, "loopback must have IPv4 and IPv6")
	}
	require.Fail(t, "no port is free on every host")
	return "", nil
}

// dialHost dials and returns the host of the other end.
func dialHost(t *testing.T, d *Dialer, address string) string {
	t.Helper()
	conn, err := d.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	require.NoError(t, err)
	return host
}

func TestNameWithBothFamiliesIsDialledInTurn(t *testing.T) {
	port, _ := samePort(t, "127.0.0.1", "::1")
	d := &Dialer{Resolver: newNames(t, "127.0.0.1", "::1").resolver()}
	first, second, third := dialHost(t, d, apiName+":"+port), dialHost(t, d, apiName+":"+port), dialHost(t, d, apiName+":"+port)
	assert.ElementsMatch(t, []string{"127.0.0.1", "::1"}, []string{first, second})
	assert.Equal(t, first, third)
}

func TestRefusedFamilyGivesWayAtOnce(t *testing.T) {
	for _, listening := range []string{"127.0.0.1", "::1"} {
		port, _ := samePort(t, listening)
		d := &Dialer{Connect: time.Minute, Hedge: 30 * time.Second, Resolver: newNames(t, "127.0.0.1", "::1").resolver()}
		start := time.Now()
		assert.Equal(t, listening, dialHost(t, d, apiName+":"+port))
		assert.Less(t, time.Since(start), 20*time.Second, "no hedge was waited for")
	}
}

func TestNetworkChoosesTheFamily(t *testing.T) {
	port, _ := samePort(t, "127.0.0.1", "::1")
	d := &Dialer{Resolver: newNames(t, "127.0.0.1", "::1").resolver()}
	for network, want := range map[string]string{"tcp4": "127.0.0.1", "tcp6": "::1"} {
		for range 3 {
			conn, err := d.DialContext(t.Context(), network, apiName+":"+port)
			require.NoError(t, err)
			assert.Equal(t, net.JoinHostPort(want, port), conn.RemoteAddr().String())
			_ = conn.Close()
		}
	}
}

func TestNameWithoutAReachableAddressNamesThemAll(t *testing.T) {
	port, listeners := samePort(t, "127.0.0.1", "::1")
	for _, listener := range listeners {
		_ = listener.Close()
	}
	d := &Dialer{Hedge: ms, Resolver: newNames(t, "127.0.0.1", "::1").resolver()}
	_, err := d.DialContext(t.Context(), "tcp", apiName+":"+port)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorContains(t, err, "dial tcp example.com:"+port+" (")
	require.ErrorContains(t, err, "dial tcp 127.0.0.1:"+port+":")
	require.ErrorContains(t, err, "dial tcp [::1]:"+port+":")
	var failure *Error
	require.ErrorAs(t, err, &failure)
	// Four failures end it; siblings that were under way by then count too.
	assert.GreaterOrEqual(t, failure.Tries, maxRefused)
	assert.Less(t, failure.Tries, maxRefused+maxUnderway)
}

func TestUnknownNameEndsTheDialAtOnce(t *testing.T) {
	d := &Dialer{Hedge: 30 * time.Second, Connect: time.Minute, Resolver: newNames(t).resolver()}
	start := time.Now()
	_, err := d.DialContext(t.Context(), "tcp", "nowhere.invalid:443")
	var unknown *net.DNSError
	require.ErrorAs(t, err, &unknown)
	assert.True(t, unknown.IsNotFound)
	assert.ErrorContains(t, err, "nowhere.invalid")
	assert.Less(t, time.Since(start), 20*time.Second)
}

func TestNewAnswerIsHonoured(t *testing.T) {
	port, _ := samePort(t, "127.0.0.1", "::1")
	names := newNames(t, "127.0.0.1")
	d := &Dialer{Resolver: names.resolver()}
	assert.Equal(t, "127.0.0.1", dialHost(t, d, apiName+":"+port))
	names.set("::1")
	assert.Equal(t, "::1", dialHost(t, d, apiName+":"+port))
}

func TestLostQueryIsHedged(t *testing.T) {
	port, _ := samePort(t, "127.0.0.1")
	names := newNames(t, "127.0.0.1")
	names.lose.Store(2) // A and AAAA
	d := &Dialer{Hedge: 50 * ms, Resolver: names.resolver()}
	start := time.Now()
	assert.Equal(t, "127.0.0.1", dialHost(t, d, apiName+":"+port))
	assert.Less(t, time.Since(start), 4*time.Second, "the resolver's own timeout is 5s")
	assert.GreaterOrEqual(t, names.queries.Load(), int32(4))
}

func TestSilentResolverEndsWithinConnect(t *testing.T) {
	names := newNames(t, "127.0.0.1")
	names.lose.Store(1000)
	start := time.Now()
	_, err := (&Dialer{Connect: 200 * ms, Hedge: 50 * ms, Resolver: names.resolver()}).DialContext(t.Context(), "tcp", apiName+":443")
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "example.com")
	assert.Less(t, time.Since(start), 4*time.Second)
	assert.LessOrEqual(t, names.queries.Load(), int32(2*maxLookups))
}

func TestLiteralAddressAndOwnDialAreNotResolved(t *testing.T) {
	port, _ := samePort(t, "127.0.0.1", "::1")
	names := newNames(t, "127.0.0.1")
	d := &Dialer{Resolver: names.resolver()}
	assert.Equal(t, "127.0.0.1", dialHost(t, d, "127.0.0.1:"+port))
	assert.Equal(t, "::1", dialHost(t, d, "[::1]:"+port))

	var asked string
	d.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = address
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	dialHost(t, d, apiName+":"+port)
	assert.Equal(t, apiName+":"+port, asked)
	assert.Zero(t, names.queries.Load())
}

func TestWithoutSiblingsEveryAddressIsStillTried(t *testing.T) {
	port, _ := samePort(t, "::1")
	d := &Dialer{Hedge: -1, Resolver: newNames(t, "127.0.0.1", "::1").resolver()}
	assert.Equal(t, "::1", dialHost(t, d, apiName+":"+port))
}

func TestLookupsArePacedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		failing := func(ctx context.Context, network, host string) ([]netip.Addr, error) {
			at = append(at, time.Since(start))
			return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
		}
		_, err := resolve(t.Context(), failing, 100*ms, "tcp", apiName)
		require.ErrorContains(t, err, "server misbehaving")
		assert.Equal(t, []time.Duration{0, 100 * ms, 200 * ms}, at)

		none := func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }
		_, err = resolve(t.Context(), none, 100*ms, "tcp", apiName)
		require.ErrorContains(t, err, "has no address")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		silent := func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // deaf for a while
			return nil, errors.New("late")
		}
		start = time.Now()
		_, err = resolve(ctx, silent, 100*ms, "tcp", apiName)
		require.ErrorContains(t, err, "no answer to the lookup of "+apiName)
		assert.Equal(t, time.Second, time.Since(start))
		time.Sleep(2 * time.Second) // the lookups that were deaf have ended
	})
}

func TestFamiliesAlternate(t *testing.T) {
	parse := func(texts ...string) (addresses []netip.Addr) {
		for _, text := range texts {
			addresses = append(addresses, netip.MustParseAddr(text))
		}
		return addresses
	}
	for name, c := range map[string]struct{ in, out []netip.Addr }{
		"IPv6 first":    {parse("2001:db8::1", "2001:db8::2", "192.0.2.1"), parse("2001:db8::1", "192.0.2.1", "2001:db8::2")},
		"IPv4 first":    {parse("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"), parse("192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3")},
		"mapped, twice": {parse("::ffff:192.0.2.1", "192.0.2.1", "2001:db8::1"), parse("192.0.2.1", "2001:db8::1")},
		"one":           {parse("192.0.2.1"), parse("192.0.2.1")},
	} {
		assert.Equal(t, c.out, interleave(c.in), name)
	}
	var many []netip.Addr
	for n := range 100 {
		many = append(many, netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}))
	}
	assert.Len(t, interleave(many), maxAddresses)
}

func TestFortunesDecideWhoBegins(t *testing.T) {
	var f addressHistory
	now := time.Unix(0, 0)
	all := []string{"a", "b", "c"}
	assert.Equal(t, all, f.order(all, now))
	f.won("a", nil, now)
	assert.Equal(t, []string{"b", "c", "a"}, f.order(all, now), "whoever has waited longest")
	f.won("c", []string{"b"}, now)
	assert.Equal(t, []string{"a", "c", "b"}, f.order(all, now), "whoever lost comes last")
	f.won("c", []string{"a"}, now.Add(time.Second))
	assert.Equal(t, []string{"c", "b", "a"}, f.order(all, now.Add(time.Second)))
	assert.Equal(t, []string{"b", "a", "c"}, f.order(all, now.Add(badFor+2*time.Second)), "a loss is forgotten")
	f.won("b", nil, now.Add(time.Second))
	assert.Equal(t, []string{"c", "b", "a"}, f.order(all, now.Add(time.Second)), "so is it after a victory")
}
