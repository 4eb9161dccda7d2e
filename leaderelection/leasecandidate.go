package leaderelection

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes"
	upstream "k8s.io/client-go/tools/leaderelection"
)

type (
	// LeaseCandidate keeps the LeaseCandidate object of a contender in a
	// Coordinated election (KEP-4355), which is alpha in Kubernetes.
	LeaseCandidate = upstream.LeaseCandidate

	// CacheSyncWaiter waits until a LeaseCandidate's informer has synced.
	CacheSyncWaiter = upstream.CacheSyncWaiter
)

// NewCandidate returns a LeaseCandidate that stands for candidateName in the
// election for targetLease, and the waiter for its informer. It is client-go's.
func NewCandidate(clientset kubernetes.Interface,
	candidateNamespace string,
	candidateName string,
	targetLease string,
	binaryVersion, emulationVersion string,
	strategy coordinationv1.CoordinatedLeaseStrategy,
) (*LeaseCandidate, CacheSyncWaiter, error) {
	return upstream.NewCandidate(clientset, candidateNamespace, candidateName, targetLease, binaryVersion, emulationVersion, strategy)
}
