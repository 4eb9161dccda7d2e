package result

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestThisMachineIsDescribed(t *testing.T) {
	m := ThisMachine()
	assert.NotEmpty(t, m.OS)
	assert.NotEmpty(t, m.Arch)
	assert.Positive(t, m.Cores)
	if m.OS == "linux" {
		assert.NotEmpty(t, m.Kernel)
		assert.Greater(t, m.Memory, uint64(64<<20))
	}
}

func TestFieldsOfProcAreRead(t *testing.T) {
	const cpu = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nprocessor\t: 1\nmodel name\t: Another\n"
	assert.Equal(t, "Some CPU @ 2.00GHz", field(cpu, "model name"))
	assert.Empty(t, field(cpu, "model"))
	assert.Equal(t, uint64(8123456<<10), kibibytes(field("MemTotal:        8123456 kB\n", "MemTotal")))
	assert.Zero(t, kibibytes(""))
	assert.Zero(t, kibibytes("12 MB"))
	assert.Empty(t, content("/does/not/exist"))
}

func TestVersionsAreThoseOfTheBuild(t *testing.T) {
	v := versions(&debug.BuildInfo{
		GoVersion: "go1.26.8",
		Deps: []*debug.Module{
			{Path: "k8s.io/client-go", Version: "v0.37.2"}, {Path: "k8s.io/api", Version: "v0.37.2"},
			{Path: "github.com/holdfast-go/holdfast", Version: "v0.0.0", Replace: &debug.Module{Path: "../"}},
		},
		Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "a248ce5"}},
	}, map[string]string{"etcd": "v3.7.3"})
	assert.Equal(t, Versions{
		"go": "go1.26.8", "etcd": "v3.7.3", "k8s.io/client-go": "v0.37.2", "github.com/holdfast-go/holdfast": "v0.0.0",
		"revision": "a248ce5 (modified)",
	}, v)
	assert.Equal(t, "v1", TheseVersions(map[string]string{"kube-apiserver": "v1"})["kube-apiserver"])
}
