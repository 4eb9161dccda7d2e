package locktest_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/resourcelock"
	"github.com/holdfast-go/holdfast/resourcelock/locktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ours(config *rest.Config, identity string, bound time.Duration) (resourcelock.Interface, error) {
	return resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "it",
		resourcelock.ResourceLockConfig{Identity: identity}, config, bound)
}

func TestEveryCallReturnsWithinItsBoundWhateverHappens(t *testing.T) { locktest.Calls(t, ours) }

func TestUnderClientGosElectorNoLeaseIsLostThatItsOwnLockKeeps(t *testing.T) {
	locktest.Elections(t, locktest.ClientGo, ours)
}

func TestUnderOurElectorNoLeaseIsLostThatClientGoKeeps(t *testing.T) {
	locktest.Elections(t, locktest.Holdfast, ours)
}
