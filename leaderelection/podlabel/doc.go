// Package podlabel leads a Service to the leader: while a contender leads, its Pod
// bears a label that the Service selects.
//
//	label, err := podlabel.New(podlabel.Config{
//		Pods: client.CoreV1().Pods(namespace), Pod: name, UID: uid, // the downward API tells all three
//		Value: "my-controller",
//	})
//	...
//	config.Callbacks.OnStartedLeading = label.Around(work)
//
// and the Service:
//
//	selector:
//	  holdfast-go.github.io/leader-of: my-controller
//
// # Promise
//
//   - When the term ends, taking the label off is the first thing that is sent. The
//     work's context has ended by then and nothing of the work waits for it. The
//     release of the lease does, for at most Config.Bound: at a handover no two Pods
//     bear the label.
//   - A new leader first takes the label from every other Pod that bears it, such as
//     that of a leader which died or was cut off, and then puts it on its own.
//   - A leader looks again, at first after a second, later every Config.Every, and
//     mends what has become of the label: by hand, or by a late request of a
//     predecessor.
//
// # Limits
//
// The label says where requests go and is no proof of who leads. Between two
// leaders it is on no Pod. A leader that is cut off from the API bears it until the
// next one takes it, and what kube-proxy has not learned of yet goes where it went;
// so does a connection that was open before. Whoever serves must know by itself
// whether it leads ([leaderelection.Term]).
//
// # Rights
//
// They are to list Pods in the namespace, and to patch the status of Pods:
//
//   - apiGroups: [""]
//     resources: [pods]
//     verbs: [list]
//   - apiGroups: [""]
//     resources: [pods/status]
//     verbs: [patch]
//
// Labels can be written through the status, and a status can be written without the
// right to change what runs in a Pod (its image, say), which a patch of the Pod itself
// is. Neither can be confined to the Pods of one election: whoever has these rights may
// report any Pod of the namespace as ready, and may lead any Service there elsewhere.
package podlabel
