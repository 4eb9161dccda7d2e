package main

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// Contenders of client-go's, over HTTP/2, whose API server falls silent without closing
// anything. client-go gives such a connection up after its pings, half a minute later.
func TestAContenderOfClientGoKeepsItsLeaseBehindTheRelay(t *testing.T) {
	for name, behind := range map[string]bool{"behind the relay": true, "without it": false} {
		t.Run(name, func(t *testing.T) {
			s := newSilence(t)
			config := s.host.Config()
			if behind {
				api, err := url.Parse(config.Host)
				require.NoError(t, err)
				p := play(t, func(o *options) { o.limits.answer = 500 * time.Millisecond }, api.Host)
				if config.ServerName == "" {
					config.ServerName = api.Hostname()
				}
				config.Host = "https://" + p.address
				defer p.until(reasonAnswer, 1)
			}
			lost := contend(t, config)
			require.Eventually(t, func() bool { return s.through("first") > 2 }, soon, often)

			s.virtual.Name(s.second) // where new connections go; those that exist stay
			s.first.Silence()
			if behind {
				require.Eventually(t, func() bool { return s.through("second") > 10 }, soon, often, "its renewals go elsewhere")
				select {
				case <-lost:
					assert.Fail(t, "the lease was lost")
				default:
				}
				return
			}
			select {
			case <-lost:
			case <-time.After(soon):
				assert.Fail(t, "the lease was kept, so the relay gives nothing")
			}
		})
	}
}

// silence is two API servers behind a virtual IP.
type silence struct {
	first, second *leaseapi.Endpoint
	virtual       *leaseapi.Relay
	host          *leaseapi.Host

	mu     sync.Mutex
	writes map[string]int
}

func newSilence(t *testing.T) *silence {
	s := &silence{writes: map[string]int{}}
	store := leaseapi.NewStore(leaseapi.Options{OnCommit: func(c leaseapi.Commit) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writes[c.Endpoint]++
	}})
	var err error
	s.first, err = store.Serve("first")
	require.NoError(t, err)
	s.second, err = store.Serve("second")
	require.NoError(t, err)
	s.virtual = leaseapi.NewRelay(nil, s.first)
	s.host, err = s.virtual.Host("host")
	require.NoError(t, err)
	t.Cleanup(func() {
		s.virtual.Close()
		assert.NoError(t, s.first.Close())
		assert.NoError(t, s.second.Close())
	})
	return s
}

// through returns how many writes came through an endpoint.
func (s *silence) through(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes[endpoint]
}

// contend runs a contender of client-go's until the test ends. lost is closed when it has
// led and does not any more.
func contend(t *testing.T, config *rest.Config) (lost <-chan struct{}) {
	const deadline = 4 * time.Second
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "shop", "carts", resourcelock.ResourceLockConfig{Identity: "me"}, config, deadline)
	require.NoError(t, err)
	over := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 6 * time.Second, RenewDeadline: deadline, RetryPeriod: 500 * time.Millisecond,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() { close(over) }},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { elector.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return over
}
