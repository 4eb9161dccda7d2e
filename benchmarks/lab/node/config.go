package node

import (
	"fmt"
	"net/netip"
)

// here is where the node's own folder is inside the node, whatever hides the rest.
const here = "/run/holdfast"

// pluginFolder is where Debian's containernetworking-plugins has them.
const pluginFolder = "/usr/lib/cni"

// containerdConfig is the configuration of containerd. Without CAP_SYS_RESOURCE no
// sandbox starts unless oom_score_adj is restricted.
func containerdConfig(pause string) string {
	return fmt.Sprintf(`version = 2
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = %q
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = "%s/net.d"
`, pause, pluginFolder, here)
}

// kubeletConfig is the configuration of the kubelet: Kubernetes' defaults, but for
// what a machine that is shared with others forbids. It evicts nobody, leaves the packet
// filter alone, and does not wait for minutes before it starts a container again that has
// ended often.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: ` + here + `/ca.crt}}
authorization: {mode: AlwaysAllow}
failSwapOn: false
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
volumePluginDir: /var/lib/kubelet/volumeplugins
resolvConf: ""
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
`

// networkConfig gives each Pod an address of pods, on a bridge of the node's.
func networkConfig(pods netip.Prefix) string {
	return fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "pods", "plugins": [{
  "type": "bridge", "bridge": %q, "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
`, bridge, pods)
}

const bridge = "cni0"
