// Package podsuccessor names the Pod that is to lead next when a lease is released, so
// that a rollout costs one change of leader and not one for each replica.
//
//	successor, err := podsuccessor.New(podsuccessor.Config{
//		Pods: client.CoreV1().Pods(namespace), Pod: name, // the downward API tells both
//		Selector: "app.kubernetes.io/name=my-controller",
//	})
//	...
//	config.ReleaseOnCancel = true
//	config.Successor = successor
//
// # Promise
//
// The successor is a Pod of the election that is ready and not terminating, of the
// newest revision that has any, and of those the oldest. A revision is what the labels
// pod-template-hash (Deployment) or controller-revision-hash (StatefulSet, DaemonSet)
// say, and the newest is the one with the Pod that was created last. Where no other Pod
// is ready nobody is named. Where the Pods cannot be listed in time that is an error, and
// the lease is released for all.
//
// # Limits
//
// It is a guess, which costs a moment where it is wrong, never the lease. A Pod of the
// old revision that is created in the middle of a rollout, for one that was evicted, may
// be taken for the newest. Identities must be the name of the Pod, or begin with it and
// an underscore, as hostname_uuid does where the host name is that of the Pod: it is cut
// to 63 characters, and another with hostNetwork.
//
// # Rights
//
// To list Pods in the namespace:
//
//   - apiGroups: [""]
//     resources: [pods]
//     verbs: [list]
package podsuccessor
