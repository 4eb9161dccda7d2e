package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// Options say what runs on a node.
type Options struct {
	// Kubelet is the program; empty means the one that [Enter] has prepared.
	Kubelet string
	// Pause is the image of the first container of every Pod. It is required.
	Pause Image
	// Images are those that Pods may use. Nothing is pulled from elsewhere.
	Images []Image
	// EventedPLEG has the kubelet hear of the ends of containers by events, instead of
	// looking once a second. It takes containerd 2.
	EventedPLEG bool
}

// A Node is a machine of a cluster. All methods are safe for concurrent use.
type Node struct {
	host   *lab.Host
	api    kubernetes.Interface
	folder string
	plan   plan

	mu    sync.Mutex
	power *lab.Process // nil while it has none
}

// plan is what the first process of a node has to know.
type plan struct {
	Name, Folder, Kubelet, Group string
	Pause                        string // what the kernel calls the program of Options.Pause
	Address                      netip.Addr
	Pods                         netip.Prefix
	Images                       []string // archives, by their names in Folder
	EventedPLEG                  bool
}

// started counts nodes, so that each has addresses of its own.
var started atomic.Int32

// APIServerArgs are the arguments that an API server needs for nodes: see
// [lab.Options].APIServerArgs.
func APIServerArgs() []string {
	return []string{
		"--authorization-mode=Node", // beside the lab's RBAC
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
	}
}

// Start adds a host of that name to the lab, boots it as a node, and returns when the
// API server says that the node is ready. ctx bounds the start.
func Start(ctx context.Context, l *lab.Lab, name string, o Options) (_ *Node, err error) {
	if o.Kubelet == "" {
		o.Kubelet = lab.PreparedNodes().Kubelet
	}
	if err := errors.Join(missing(), o.check()); err != nil {
		return nil, fmt.Errorf("node %q: %w", name, err)
	}
	api, _, err := l.Observer(0)
	if err != nil {
		return nil, err
	}
	host, err := l.NewHost(name)
	if err != nil {
		return nil, err
	}
	n := &Node{host: host, api: api, folder: filepath.Join(l.Dir(), name)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("node %q: %w", name, err), n.Close())
		}
	}()
	number := started.Add(1)
	if number > 127 {
		return nil, errors.New("127 nodes are the most that one program can have")
	}
	n.plan = plan{
		Name: name, Folder: n.folder, Kubelet: o.Kubelet, Group: lab.GroupPrefix() + name, Address: host.Addr(),
		Pause: filepath.Base(o.Pause.Program), EventedPLEG: o.EventedPLEG,
		Pods: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, 127 + byte(number), 0}), 24),
	}
	if err := host.Carry(n.plan.Pods); err != nil {
		return nil, err
	}
	kubeconfig, err := l.Kubeconfig("system:node:"+name, "system:nodes")
	if err != nil {
		return nil, err
	}
	if err := n.furnish(kubeconfig, filepath.Join(l.Dir(), "ca.crt"), o); err != nil {
		return nil, err
	}
	return n, n.PowerOn(ctx)
}

func (o Options) check() error {
	if o.Kubelet == "" {
		return errors.New("there is no kubelet: call node.Enter first in main or TestMain")
	}
	if o.Pause.Reference == "" {
		return errors.New("Options.Pause is empty: must be an image")
	}
	return nil
}

// furnish writes the node's disk.
func (n *Node) furnish(kubeconfig, ca string, o Options) error {
	for _, folder := range []string{"", "kubelet", "containerd", "cni", "log", "net.d", "work", "settings"} {
		if err := os.MkdirAll(filepath.Join(n.folder, folder), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(n.folder, "work"), 0o1777); err != nil { // whoever a Pod runs as
		return err
	}
	files := map[string]string{
		"containerd.toml":        containerdConfig(o.Pause.Reference),
		"kubelet.yaml":           kubeletConfig,
		"net.d/10-pods.conflist": networkConfig(n.plan.Pods),
	}
	for from, to := range map[string]string{kubeconfig: "kubeconfig", ca: "ca.crt"} {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		files[to] = string(content)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(n.folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	for i, image := range append([]Image{o.Pause}, o.Images...) {
		name := fmt.Sprintf("image-%d.tar", i)
		if err := image.writeFile(filepath.Join(n.folder, name)); err != nil {
			return err
		}
		n.plan.Images = append(n.plan.Images, name)
	}
	return nil
}

// Name is the node's name.
func (n *Node) Name() string { return n.host.Name() }

// Host is the host that the node is; [lab.Host.Cut] cuts it off, Pods and kubelet.
func (n *Node) Host() *lab.Host { return n.host }

// HostFolder is a folder of every node, by the path that Pods mount it by (hostPath),
// in which everybody may write. It outlives Pods and power.
const HostFolder = here + "/work"

// Folder is where [HostFolder] is outside of the node.
func (n *Node) Folder() string { return filepath.Join(n.folder, "work") }

// Logs is the folder of the logs: of containerd, of the kubelet, and below pods those of
// the containers, as on any node in /var/log.
func (n *Node) Logs() string { return filepath.Join(n.folder, "log") }

// PowerOff ends everything that runs on the node at once. No peer hears of it: its
// packets vanish first. On a node without power it does nothing.
func (n *Node) PowerOff() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.power == nil {
		return nil
	}
	if err := n.host.Cut(); err != nil {
		return err
	}
	err := n.power.Kill()
	n.power = nil
	return errors.Join(err, lab.RemoveGroups(n.plan.Group))
}

// PowerOn connects and boots a node that has no power, and returns when the API server
// says that it is ready since.
func (n *Node) PowerOn(ctx context.Context) error {
	if err := n.boot(); err != nil {
		return err
	}
	return n.Ready(ctx)
}

func (n *Node) boot() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.power != nil {
		return fmt.Errorf("node %q has power", n.Name())
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := json.Marshal(n.plan)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(n.folder, bootIDFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := n.host.Mend(); err != nil {
		return err
	}
	n.power, err = n.host.Start(lab.Command{Path: self, Env: []string{planVariable + "=" + string(text)}, Isolated: true})
	return err
}

// Ready waits until the API server says that the node is ready since it was booted.
func (n *Node) Ready(ctx context.Context) error {
	n.mu.Lock()
	power := n.power
	n.mu.Unlock()
	if power == nil {
		return fmt.Errorf("node %q has no power", n.Name())
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		why := n.unready(ctx)
		if why == nil {
			return nil
		}
		select {
		case <-power.Done():
			return fmt.Errorf("node %q ended (%w) before it was ready; %s", n.Name(), power.Wait(), n.said())
		case <-ctx.Done():
			return fmt.Errorf("node %q: %w; %w; %s", n.Name(), context.Cause(ctx), why, n.said())
		case <-tick.C:
		}
	}
}

// unready says why the node is not ready.
func (n *Node) unready(ctx context.Context) error {
	boot, err := os.ReadFile(filepath.Join(n.folder, bootIDFile))
	if err != nil {
		return errors.New("it has not booted")
	}
	object, err := n.api.CoreV1().Nodes().Get(ctx, n.Name(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	if object.Status.NodeInfo.BootID != strings.TrimSpace(string(boot)) {
		return errors.New("the kubelet has not told the API server of this boot")
	}
	for _, c := range object.Status.Conditions {
		if c.Type == corev1.NodeReady {
			if c.Status == corev1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("it is not ready: %s", c.Message)
		}
	}
	return errors.New("it has no condition Ready")
}

// said quotes the ends of its logs for an error.
func (n *Node) said() string {
	var all []string
	for _, path := range []string{n.host.LogPath(), filepath.Join(n.Logs(), "containerd.log"), filepath.Join(n.Logs(), "kubelet.log")} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		all = append(all, fmt.Sprintf("%s ends:\n\t%s", path, strings.Join(lines[max(0, len(lines)-10):], "\n\t")))
	}
	return strings.Join(all, "\n")
}

// Close takes the power and removes the host. The node's object stays in the API.
func (n *Node) Close() error { return errors.Join(n.PowerOff(), n.host.Close()) }
