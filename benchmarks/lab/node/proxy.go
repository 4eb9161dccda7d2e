package node

import (
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// StartProxy starts kube-proxy on the node, so that the addresses of Services lead
// somewhere. It writes its rules at most once in minSync, which Kubernetes has at a second.
// It runs beside what has the node's power: PowerOff cuts it off, and does not end it.
func (n *Node) StartProxy(kubeconfig string, minSync time.Duration) error {
	program := lab.PreparedNodes().KubeProxy
	if program == "" {
		return fmt.Errorf("node %q: there is no kube-proxy: call node.Enter first in main or TestMain", n.Name())
	}
	_, err := n.host.Start(lab.Command{Path: program, Args: []string{
		"--kubeconfig=" + kubeconfig, "--hostname-override=" + n.Name(), "--proxy-mode=nftables",
		"--detect-local-mode=BridgeInterface", "--pod-bridge-interface=" + bridge,
		"--iptables-min-sync-period=" + minSync.String(), // of the mode nftables, too
		// The limits of connection tracking are the machine's.
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
	}})
	return err
}
