package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// boot is what the first process of a node does. It returns only if it fails.
func boot(p plan) error {
	for _, step := range []struct {
		what string
		do   func(plan) error
	}{
		{"join its control groups", joinGroups},
		{"mount what a node sees", mountAll},
		{"set up its network", resetNetwork},
		{"say that it has booted", sayBooted},
	} {
		if err := step.do(p); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return serve(p)
}

const containerdSocket = "/run/containerd/containerd.sock"

// serve starts containerd, gives it the images, starts the kubelet, and starts again
// what ends. All is forked from this one thread, which has the namespaces.
func serve(p plan) error {
	ended := reap()
	containerd := &service{name: "containerd", path: "containerd", args: []string{"--config", here + "/containerd.toml"}}
	kubelet := &service{name: "kubelet", path: here + "/bin/kubelet", args: []string{
		"--config=" + here + "/kubelet.yaml", "--kubeconfig=" + here + "/kubeconfig",
		"--hostname-override=" + p.Name, "--node-ip=" + p.Address.String(), "--v=2", fmt.Sprintf("--feature-gates=EventedPLEG=%t", p.EventedPLEG),
	}}
	running := []*service{containerd}
	images := p.Images
	importing := 0 // the number of the process that imports an image
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, s := range running {
			if err := s.keep(); err != nil {
				return err
			}
		}
		if importing == 0 && len(running) == 1 && answers(containerdSocket) {
			if len(images) == 0 {
				running = append(running, kubelet)
				continue
			}
			var err error
			if importing, err = fork("containerd.log", "ctr", "-n", "k8s.io", "images", "import", filepath.Join(here, images[0])); err != nil {
				return err
			}
		}
		select {
		case end := <-ended:
			if end.pid == importing {
				importing = 0
				if !end.status.Exited() || end.status.ExitStatus() != 0 {
					return fmt.Errorf("import image %s: ctr ended with %v", images[0], end.status)
				}
				images = images[1:]
			}
			for _, s := range running {
				s.mayHaveEnded(end)
			}
		case <-tick.C:
		}
	}
}

func answers(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// An end is that of a child, of this process's own or of one that was orphaned.
type end struct {
	pid    int
	status unix.WaitStatus
}

// reap waits for every child, as the first process of a machine must.
func reap() <-chan end {
	ended := make(chan end)
	go func() {
		for {
			var e end
			pid, err := unix.Wait4(-1, &e.status, 0, nil)
			switch {
			case err == nil:
				e.pid = pid
				ended <- e
			case errors.Is(err, unix.ECHILD):
				time.Sleep(10 * time.Millisecond)
			}
		}
	}()
	return ended
}

// A service is a program that is started again a second after it has ended, unless
// somebody holds it back.
type service struct {
	name, path string
	args       []string

	pid   int
	again time.Time
}

const restartPause = time.Second

func (s *service) keep() error {
	if s.pid != 0 || time.Now().Before(s.again) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(here, heldBack(s.name))); err == nil {
		return nil
	}
	var err error
	s.pid, err = fork(s.name+".log", s.path, s.args...)
	return err
}

func (s *service) mayHaveEnded(e end) {
	if s.pid == e.pid {
		fmt.Fprintf(os.Stderr, "node: %s has ended (%v)\n", s.name, e.status)
		s.pid, s.again = 0, time.Now().Add(restartPause)
	}
}

// fork starts a program whose output goes to a log of that name, and returns its number.
func fork(log, program string, args ...string) (int, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return 0, err
	}
	out, err := os.OpenFile(filepath.Join("/var/log", log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	p, err := os.StartProcess(path, append([]string{program}, args...), &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{null, out, out},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", program, err)
	}
	pid := p.Pid
	return pid, p.Release()
}

// resetNetwork takes away what an earlier boot has left in the network namespace, which
// outlives it, and forwards the packets of Pods.
func resetNetwork(plan) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		name := link.Attrs().Name
		if name == "lo" || name == "eth0" {
			continue
		}
		if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// bootIDFile, in the node's folder, has the boot ID once the node has booted.
const bootIDFile = "boot_id"

func sayBooted(plan) error {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(here, bootIDFile), id, 0o644)
}
