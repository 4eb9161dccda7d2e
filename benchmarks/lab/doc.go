// Package lab is the laboratory: a real Kubernetes control plane, one etcd and
// several kube-apiservers, each on a host of its own, and hosts that contend for
// a lease and reach the API as pods do. Any host can be cut off, any process
// frozen, killed or started again, while what happens is watched from a place
// that is not harmed.
//
// # What it promises
//
// A host is a network namespace with its own address and host name. The
// process that calls [Start] is the router between them, in a namespace of its
// own: nothing here touches the machine's network, and it needs nothing
// installed. Every host is joined to the router by one cable:
//
//		etcd   api-0   api-1   api-2        alice   bob        (198.18.0.2, .6, .10 …)
//		  |      |       |       |            |      |
//		--+------+-------+-------+---router---+------+--
//		                         |
//		                      observer
//
//	  - Contenders reach the API through [VirtualIP]. Each host translates it by
//	    itself: a new connection goes to a backend drawn at random, as
//	    kube-proxy's iptables mode has it, and stays there whatever the virtual
//	    IP names later. See [Host.SetBackends].
//	  - [Host.SetAliases] has names lead elsewhere for the processes of one host, as
//	    the hostAliases of a Pod do.
//	  - [Host.Cut] is silent. Packets vanish at the router, both ways. Nobody
//	    sees a reset or an ICMP message, as when a machine loses its power.
//	  - [Server.Freeze] is the other silence: the process stands still, its
//	    kernel still acknowledges.
//	  - [Server.Kill] is loud: connections end and new ones are refused.
//	  - [Lab.Observer] talks to one API server directly. It sees what is
//	    committed, whatever the contenders see.
//	  - Nothing stays behind. The laboratory is a process namespace of its own,
//	    so that the kernel ends all of it when the program ends, however it ends.
//	    [Lab.Close] does it in order.
//
// It runs as root, or without root where unprivileged user namespaces are
// allowed. Elsewhere [Enter] says in one sentence what is missing.
//
// # Limits
//
// Only Linux has network namespaces; elsewhere the package compiles and Enter
// says so. The kernel needs veth, nf_tables with nat, numgen and reject, and
// conntrack. Links are perfect until they are cut: no delay, loss, reordering
// or bandwidth limit is simulated. All hosts share one kernel and so one
// clock, one memory and the same processors: clocks never differ, and a busy
// host slows the others. etcd does not wait for the disk, and it is one
// member. There is no kubelet but on the nodes of package lab/node, no scheduler, no controller manager and no DNS,
// and service accounts are not made by themselves; authorization is RBAC. Only
// IPv4. One lab at a time in one process.
//
// # Use
//
//	func TestMain(m *testing.M) {
//		lab.Enter() // returns only inside
//		os.Exit(m.Run())
//	}
//
//	func TestTakeover(t *testing.T) {
//		l, err := lab.Start(t.Context(), lab.Options{Progress: os.Stderr})
//		require.NoError(t, err)
//		defer l.Close()
//		kubeconfig, err := l.Kubeconfig("alice", lab.Masters)
//		require.NoError(t, err)
//		alice, err := l.NewHost("alice")
//		require.NoError(t, err)
//		require.NoError(t, alice.SetBackends(0)) // connect to api-0 …
//		p, err := alice.Start(lab.Command{Path: contender, Args: []string{"-kubeconfig", kubeconfig}})
//		require.NoError(t, err)
//		…
//		require.NoError(t, l.SetBackends(0, 1, 2))
//		require.NoError(t, l.APIServers()[0].Silence()) // … which now goes silent
//		…
//		require.NoError(t, l.Mend(t.Context())) // ready for the next
//	}
//
// The programs come from KUBEBUILDER_ASSETS or are built once from pinned
// modules and kept in the user's cache folder: see [Prepare]. API servers of
// other minor versions than the newest are named to Enter and then to Start:
//
//	lab.Enter("1.36")
//	l, err := lab.Start(ctx, lab.Options{APIServerMinors: []string{"1.36"}}) // api-0; the others are of the newest
package lab
