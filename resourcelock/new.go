package resourcelock

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// ErrLockType is wrapped by the error of every constructor that was asked for a
// lock type other than LeasesResourceLock.
var ErrLockType = errors.New("unsupported lock type")

// New returns a lock on the Lease ns/name through coordinationClient. The lock
// type must be LeasesResourceLock (ErrLockType otherwise); coreClient is not
// used and may be nil.
//
// The lock can promise no more than the client does: see NewFromKubeconfig for
// one whose connections are its own.
func New(lockType string, ns string, name string, coreClient corev1.CoreV1Interface, coordinationClient coordinationv1.CoordinationV1Interface, rlc ResourceLockConfig) (Interface, error) {
	return NewWithLabels(lockType, ns, name, coreClient, coordinationClient, rlc, nil)
}

// NewWithLabels is New for a Lease that is to carry labels. They are set with
// every write; labels of others stay.
func NewWithLabels(lockType string, ns string, name string, coreClient corev1.CoreV1Interface, coordinationClient coordinationv1.CoordinationV1Interface, rlc ResourceLockConfig, labels map[string]string) (Interface, error) {
	if err := checkLockType(lockType); err != nil {
		return nil, err
	}
	return &LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: ns, Name: name},
		Client:     coordinationClient,
		LockConfig: rlc,
		Labels:     labels,
	}, nil
}

func checkLockType(lockType string) error {
	switch lockType {
	case LeasesResourceLock:
		return nil
	case "endpoints", "configmaps", "endpointsleases", "configmapsleases":
		return fmt.Errorf("%w %q: Kubernetes removed it; migrate to %q", ErrLockType, lockType, LeasesResourceLock)
	default:
		return fmt.Errorf("%w %q: the only one is %q", ErrLockType, lockType, LeasesResourceLock)
	}
}
