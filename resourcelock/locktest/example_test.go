package locktest_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/resourcelock"
	"github.com/holdfast-go/holdfast/resourcelock/locktest"
)

// ours makes the lock under test. Whoever has one of his own makes it here, on the
// Lease default/it that config leads to.
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

// The tests of a lock are as short as those above. What it then has to bear:
func Example() {
	for _, fault := range locktest.Faults() {
		fmt.Println(fault.Name)
	}
	// Output:
	// silence
	// reset
	// end
	// too-many-requests
	// unavailable
	// internal-error
	// retry-after-beyond-31-bits
	// body-silent-known-length
	// body-silent-unknown-length
	// body-silent-compressed
	// body-a-byte-at-a-time
	// retry-after-with-endless-body
	// redirect-loop
	// 1xx-without-end
	// proxy-silent-http
	// proxy-silent-socks5
	// frozen
	// name-with-a-dead-address
	// another-lease
	// swallowed-write
}
