package resourcelock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	upstream "k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/holdfast-go/holdfast/resourcelock"
)

const (
	benchDeadline = 10 * time.Second
	benchLease    = 15 * time.Second
)

var benchEpoch = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

// implementations are the locks to compare, each as its own NewFromKubeconfig
// makes it; benchstat -col /impl puts them side by side.
var implementations = []struct {
	name string
	make func(testing.TB, *rest.Config) resourcelock.Interface
}{
	{"impl=holdfast", holdfastLock},
	{"impl=client-go", clientGoLock},
}

func holdfastLock(tb testing.TB, config *rest.Config) resourcelock.Interface {
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "it",
		resourcelock.ResourceLockConfig{Identity: "me"}, config, benchDeadline)
	require.NoError(tb, err)
	return lock
}

// clientGoLock is without client-go's rate limit, which would be all that is
// measured.
func clientGoLock(tb testing.TB, config *rest.Config) resourcelock.Interface {
	config = rest.CopyConfig(config)
	config.QPS = -1
	lock, err := upstream.NewFromKubeconfig(upstream.LeasesResourceLock, "default", "it",
		upstream.ResourceLockConfig{Identity: "me"}, config, benchDeadline)
	require.NoError(tb, err)
	return lock
}

func benchRecord(renewed time.Time) resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{
		HolderIdentity: "me", LeaseDurationSeconds: resourcelock.WholeSeconds(benchLease),
		AcquireTime: metav1.NewTime(benchEpoch), RenewTime: metav1.NewTime(renewed),
	}
}

// BenchmarkRenew is a leader's renewal through the lock, over TLS: what both
// electors ask of a lock in the ordinary course. Holdfast's elector calls
// Write, which Update is a thin layer on.
func BenchmarkRenew(b *testing.B) {
	for _, impl := range implementations {
		b.Run(impl.name, func(b *testing.B) {
			lock := impl.make(b, serverConfig(b))
			require.NoError(b, lock.Create(context.Background(), benchRecord(benchEpoch)))
			b.ReportAllocs()
			for b.Loop() {
				if err := lock.Update(context.Background(), benchRecord(time.Now())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkObserve is a candidate's read of the record, over TLS.
func BenchmarkObserve(b *testing.B) {
	for _, impl := range implementations {
		b.Run(impl.name, func(b *testing.B) {
			lock := impl.make(b, serverConfig(b))
			require.NoError(b, lock.Create(context.Background(), benchRecord(benchEpoch)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := lock.Get(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
