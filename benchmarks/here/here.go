// Package here says where and with what a benchmark runs, for the first line
// of its results.
package here

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// named are the modules whose versions stand in the results.
var named = []string{
	"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "go.etcd.io/etcd/client/v3",
}

// Run describes the running program: its command line, without the folder of
// the program, and what of machine and versions can be found out. What cannot
// is left empty. seed is the run's own; budget says what it was limited to.
func Run(seed uint64, budget string) result.Run {
	return result.Run{
		Command: strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " "),
		Seed:    seed, Began: time.Now().UTC(), Budget: budget,
		Machine: machine(), Versions: versions(),
	}
}

func machine() result.Machine {
	return result.Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(),
		Kernel: strings.TrimSpace(text("/proc/sys/kernel/osrelease")),
		CPU:    field(text("/proc/cpuinfo"), "model name"),
		Memory: kilobytes(field(text("/proc/meminfo"), "MemTotal")),
	}
}

func text(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

// field returns the value of the first line "name: value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kilobytes reads "123 kB" as bytes, and anything else as 0.
func kilobytes(value string) uint64 {
	number, unit, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(number, 10, 54)
	if err != nil || unit != "kB" {
		return 0
	}
	return n << 10
}

func versions() result.Versions {
	v := result.Versions{"go": runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, m := range info.Deps {
		if slices.Contains(named, m.Path) {
			v[m.Path] = m.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v[info.Main.Path] = s.Value
		}
	}
	return v
}
