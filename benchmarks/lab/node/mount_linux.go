package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// joinGroups moves this process to a group of the node's in every hierarchy, and makes
// them the roots of what it sees.
func joinGroups(p plan) error {
	all, err := lab.Hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		group := filepath.Join(h.Folder, p.Group)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return err
		}
		if slices.Contains(strings.Split(h.Options, ","), "cpuset") {
			if err := inheritCPUs(h.Folder, group); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	return nil
}

// inheritCPUs gives a group its parent's processors, without which nothing may join it.
func inheritCPUs(parent, group string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(group, file), value, 0); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(group, "cgroup.clone_children"), []byte("1"), 0)
}

// mountAll gives the node a view of its own of everything that it writes to.
func mountAll(p plan) error {
	all, err := lab.Hierarchies()
	if err != nil {
		return err
	}
	m := mounts{}
	m.do("make mounts private", "", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
	m.do("processes", "proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	// What lies in what is hidden below is held open until it is mounted elsewhere.
	folder, kubelet := m.hold(p.Folder), m.hold(p.Kubelet)

	m.tmpfs("/run")
	m.bindHeld(folder, here, true)
	m.makeFolder(here + "/bin")
	m.bindHeld(kubelet, here+"/bin/kubelet", false)

	m.detach("/sys/fs/cgroup")
	m.detach("/sys")
	m.do("devices", "sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	m.tmpfs("/sys/fs/cgroup")
	for _, h := range all {
		at := filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(h.Options, "none,name="))
		m.makeFolder(at)
		m.do("control groups", "cgroup", at, "cgroup", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, h.Options)
	}

	m.tmpfs("/var/lib")
	m.tmpfs("/var/log")
	for _, f := range []string{"kubelet", "containerd", "cni"} {
		m.bind(filepath.Join(here, f), filepath.Join("/var/lib", f), true)
	}
	m.bind(filepath.Join(here, "log"), "/var/log", true)

	// What a kubelet wants of the kernel it is shown, since the kernel is the machine's.
	for name, value := range map[string]string{
		"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
		"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
		"kernel/random/boot_id": newID(),
	} {
		m.show("/proc/sys/"+name, value)
	}
	if _, err := os.Stat("/etc/machine-id"); err == nil {
		m.show("/etc/machine-id", strings.ReplaceAll(newID(), "-", ""))
	}
	m.do("share mounts with Pods", "", "/", "", unix.MS_SHARED|unix.MS_REC, "")
	return m.err
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// mounts does one after the other, up to the first that fails.
type mounts struct{ err error }

func (m *mounts) try(what, where string, f func() error) {
	if m.err != nil {
		return
	}
	if err := f(); err != nil {
		m.err = fmt.Errorf("%s at %s: %w", what, where, err)
	}
}

func (m *mounts) do(what, source, target, kind string, flags uintptr, data string) {
	m.try("mount: "+what, target, func() error { return unix.Mount(source, target, kind, flags, data) })
}

func (m *mounts) tmpfs(at string) { m.do("memory", "tmpfs", at, "tmpfs", 0, "mode=755") }

func (m *mounts) makeFolder(at string) {
	m.try("folder", at, func() error { return os.MkdirAll(at, 0o755) })
}

func (m *mounts) detach(at string) {
	m.try("unmount", at, func() error {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return err
		}
		return nil
	})
}

func (m *mounts) bind(from, at string, folder bool) {
	if folder {
		m.makeFolder(at)
	} else {
		m.try("file", at, func() error {
			file, err := os.OpenFile(at, os.O_CREATE, 0o755)
			if err != nil {
				return err
			}
			return file.Close()
		})
	}
	m.do("bind "+from, from, at, "", unix.MS_BIND, "")
}

// hold opens a path, so that bindHeld can mount it once it is hidden.
func (m *mounts) hold(path string) (fd int) {
	m.try("open", path, func() (err error) {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		return err
	})
	return fd
}

func (m *mounts) bindHeld(fd int, at string, folder bool) {
	m.bind(fmt.Sprintf("/proc/self/fd/%d", fd), at, folder)
}

// show puts a file of the node's own over one of the kernel's.
func (m *mounts) show(path, content string) {
	file := filepath.Join(here, "settings", strings.ReplaceAll(path, "/", "_"))
	m.try("setting", file, func() error { return os.WriteFile(file, []byte(content+"\n"), 0o644) })
	m.bind(file, path, false)
}
