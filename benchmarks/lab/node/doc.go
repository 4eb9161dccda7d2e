// Package node is a node of a cluster in the laboratory: a real kubelet with
// containerd and runc, which joins the API server of a [lab.Lab] and runs Pods. Its
// power can be taken and given back, its kubelet and its runtime stopped, frozen and
// killed, its cable cut, and each process in its Pods seen to end.
//
// # What it promises
//
//   - A node is a machine of its own: a host of the lab with process, mount, IPC and
//     control group namespaces. Its first process starts containerd and the kubelet,
//     and starts them again a second after they have ended, as an init does.
//   - Pods have networks of their own, and addresses that the other hosts reach. Pods
//     reach the API through [lab.VirtualIP]; kubelets too.
//   - [Node.PowerOff] ends everything at once and nobody hears of it: the cable goes
//     first. [Node.PowerOn] boots what its disk holds, with another boot ID.
//   - Nothing stays behind: no file outside of the lab's folder is written, no kernel
//     setting is changed, and the control groups are removed.
//
// There is no scheduler and no controller: a Pod says by nodeName where it runs, and
// what it needs of a ServiceAccount ([PodAccess]).
//
// # What it needs
//
// Linux, root, hierarchies of control groups of version 1, and on the PATH containerd,
// ctr, containerd-shim-runc-v2 and runc, beside the plugins bridge, host-local and
// loopback: in Debian the packages containerd, runc, nftables and containernetworking-plugins.
// [Start] says what is missing. Kubelet and kube-proxy are built once, see [lab.Binaries.PrepareNodes].
//
// # Use
//
//	func TestMain(m *testing.M) {
//		node.Enter() // in place of lab.Enter
//		os.Exit(m.Run())
//	}
//
//	l, err := lab.Start(ctx, lab.Options{APIServers: 1, APIServerArgs: node.APIServerArgs()})
//	…
//	n, err := node.Start(ctx, l, "left", node.Options{Images: images})
package node
