package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// A Service is a program that every node runs.
type Service string

// The services of a node. A container outlives both of them: its parent is a shim.
const (
	Kubelet    Service = "kubelet"
	Containerd Service = "containerd"
)

// heldBack is the file, in the node's folder, that keeps a service from being started.
func heldBack(service string) string { return service + ".held-back" }

// Stop kills the service and keeps it from being started again until [Node.Resume].
func (n *Node) Stop(s Service) error {
	if err := os.WriteFile(filepath.Join(n.folder, heldBack(string(s))), nil, 0o600); err != nil {
		return err
	}
	return n.Kill(s)
}

// Resume ends [Node.Stop] and [Node.Freeze]. It does not wait for the service.
func (n *Node) Resume(s Service) error {
	err := os.Remove(filepath.Join(n.folder, heldBack(string(s))))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	_, signalErr := n.signal(string(s), unix.SIGCONT)
	return errors.Join(err, signalErr)
}

// freezeWait is how long a service that is to be frozen may take to be started.
const freezeWait = 5 * time.Second

// Freeze stops the service without ending it, until [Node.Resume]. One that is being
// started again is waited for.
func (n *Node) Freeze(s Service) error {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		frozen, err := n.signal(string(s), unix.SIGSTOP)
		if err != nil || frozen > 0 {
			return err
		}
		if time.Since(begin) > freezeWait {
			return fmt.Errorf("node %q: freeze %s: it has not run for %s", n.Name(), s, freezeWait)
		}
	}
}

// Kill kills the service, which is started again a second later. One that does not run
// at the moment stays as it is.
func (n *Node) Kill(s Service) error {
	_, err := n.signal(string(s), unix.SIGKILL)
	return err
}

// signal sends s to every process of that name that is in no Pod, waits for the end of
// what it kills, and returns how many there were.
func (n *Node) signal(name string, s unix.Signal) (sent int, err error) {
	pids, err := n.outsidePods()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if comm(pid) != name[:min(15, len(name))] { // what the kernel keeps of a name
			continue
		}
		p, err := openProcess(pid)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return sent, err
		}
		if err := p.Signal(s); err != nil {
			return sent, errors.Join(err, p.Close())
		}
		sent++
		if s == unix.SIGKILL {
			<-p.Done()
		}
		if err := p.Close(); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// outsidePods are the processes of the node itself, by their numbers in the lab.
func (n *Node) outsidePods() ([]int, error) {
	folder, err := n.groupFolder()
	if err != nil {
		return nil, err
	}
	return pidsOf(folder)
}

// groupFolder is the node's group in one hierarchy: all have the same processes.
func (n *Node) groupFolder() (string, error) {
	all, err := lab.Hierarchies()
	if err != nil {
		return "", err
	}
	for _, h := range all {
		if h.Options == "pids" {
			return filepath.Join(h.Folder, n.plan.Group), nil
		}
	}
	return "", errors.New("the machine has no hierarchy pids")
}

func comm(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(text))
}

func pidsOf(group string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Process returns the first process of the container of that ID, as a status names it
// ("containerd://…"), in the Pod of that UID. Close it after use.
func (n *Node) Process(pod types.UID, containerID string) (*Process, error) {
	folder, err := n.groupFolder()
	if err != nil {
		return nil, err
	}
	_, id, _ := strings.Cut(containerID, "://")
	if id == "" {
		return nil, fmt.Errorf("node %q: container ID %q names no container", n.Name(), containerID)
	}
	groups, err := containerGroups(folder, pod)
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		if filepath.Base(group) == id {
			return first(group)
		}
	}
	return nil, fmt.Errorf("node %q: no container %s runs in Pod %s", n.Name(), id, pod)
}

// Processes returns the first process of every container of the Pod of that UID that
// runs, without the one that holds its namespaces. Close them after use.
func (n *Node) Processes(pod types.UID) ([]*Process, error) {
	folder, err := n.groupFolder()
	if err != nil {
		return nil, err
	}
	groups, err := containerGroups(folder, pod)
	if err != nil {
		return nil, err
	}
	var running []*Process
	for _, group := range groups {
		p, err := first(group)
		switch {
		case err != nil: // it has gone meanwhile
		case comm(p.Pid()) == n.plan.Pause:
			err = p.Close()
		default:
			running = append(running, p)
		}
		if err != nil && !errors.Is(err, errNoProcess) {
			return running, err
		}
	}
	return running, nil
}

// containerGroups are the control groups of the Pod's containers.
func containerGroups(node string, pod types.UID) (groups []string, err error) {
	err = filepath.WalkDir(filepath.Join(node, "kubepods"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && filepath.Base(filepath.Dir(path)) == "pod"+string(pod) {
			groups = append(groups, path)
		}
		return nil // groups come and go
	})
	return groups, err
}

var errNoProcess = errors.New("no process in it is the first of its namespace")

// first opens the first process of a container.
func first(group string) (*Process, error) {
	pids, err := pidsOf(group)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoProcess, err)
	}
	for _, pid := range pids {
		if !isFirst(pid) {
			continue
		}
		p, err := openProcess(pid)
		if errors.Is(err, unix.ESRCH) {
			break
		}
		return p, err
	}
	return nil, fmt.Errorf("control group %s: %w", filepath.Base(group), errNoProcess)
}

// isFirst reports whether a process is number 1 in the innermost namespace that it is in.
func isFirst(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			return fields[len(fields)-1] == "1"
		}
	}
	return false
}

// Shims returns the processes that are the parents of the Pod's containers. Close them
// after use.
func (n *Node) Shims(pod types.UID) ([]*Process, error) {
	pids, err := n.outsidePods()
	if err != nil {
		return nil, err
	}
	var shims []*Process
	for _, pid := range pids {
		if !strings.HasPrefix(comm(pid), "containerd-shim") || !hasChildIn(pid, "pod"+string(pod)) {
			continue
		}
		p, err := openProcess(pid)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return shims, err
		}
		shims = append(shims, p)
	}
	return shims, nil
}

// hasChildIn reports whether a child of the process is in a control group of that name,
// or below.
func hasChildIn(pid int, group string) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(children)) {
			groups, _ := os.ReadFile("/proc/" + child + "/cgroup")
			if strings.Contains(string(groups), "/"+group+"/") {
				return true
			}
		}
	}
	return false
}

// Bundle is the folder, seen from the lab, in which containerd keeps the state of a
// running container: what it loses if that is moved away while it is stopped.
func (n *Node) Bundle(containerID string) (string, error) {
	_, id, _ := strings.Cut(containerID, "://")
	first, err := n.firstProcess()
	if err != nil {
		return "", err
	}
	bundle := fmt.Sprintf("/proc/%d/root/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s", first, id)
	if _, err := os.Stat(bundle); err != nil || id == "" {
		return "", fmt.Errorf("node %q: container %q has no bundle: %w", n.Name(), containerID, err)
	}
	return bundle, nil
}

// firstProcess is the number of the node's first process in the lab.
func (n *Node) firstProcess() (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.power == nil {
		return 0, fmt.Errorf("node %q has no power", n.Name())
	}
	return n.power.Pid(), nil
}

// LoseContainers makes containerd forget its images and containers, which go on
// running: its whole store is moved away while it is stopped. No container starts any
// more until the node has been without power.
func (n *Node) LoseContainers() error {
	if err := n.Stop(Containerd); err != nil {
		return err
	}
	store := filepath.Join(n.folder, "containerd")
	lost, err := os.MkdirTemp(n.folder, "lost-")
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(store)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(store, e.Name()), filepath.Join(lost, e.Name())); err != nil {
			return err
		}
	}
	return n.Resume(Containerd)
}
