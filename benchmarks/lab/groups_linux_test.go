package lab

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAHierarchyIsReadFromItsMount(t *testing.T) {
	for line, want := range map[string]Hierarchy{
		"32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct":                                              {"cpu,cpuacct", "/sys/fs/cgroup/cpu"},
		"40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd": {"none,name=systemd", "/sys/fs/cgroup/systemd"},
		"34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset,clone_children":                                 {"cpuset", "/sys/fs/cgroup/cpuset"},
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw":                                                    {},
		"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755":                                                       {},
		"": {},
	} {
		got, ok := hierarchy(line)
		assert.Equal(t, want, got, line)
		assert.Equal(t, want != Hierarchy{}, ok, line)
	}
}
