package result

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// ThisMachine describes the machine that the program runs on. What it does not
// tell, as elsewhere than on Linux, is empty.
func ThisMachine() Machine {
	return Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(),
		Kernel: strings.TrimSpace(content("/proc/sys/kernel/osrelease")), // what uname -r says
		CPU:    field(content("/proc/cpuinfo"), "model name"),
		Memory: kibibytes(field(content("/proc/meminfo"), "MemTotal")),
	}
}

func content(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// field returns the value of the first line "name : value" of a text.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kibibytes reads a size as /proc/meminfo has it, "8123456 kB", in bytes.
func kibibytes(text string) uint64 {
	number, isSize := strings.CutSuffix(text, " kB")
	n, err := strconv.ParseUint(number, 10, 64)
	if !isSize || err != nil {
		return 0
	}
	return n << 10
}

// measured are the modules whose versions matter to who reads a result.
var measured = []string{
	"github.com/holdfast-go/holdfast",
	"go.etcd.io/etcd/client/v3",
	"golang.org/x/net",
	"google.golang.org/grpc",
	"k8s.io/apimachinery",
	"k8s.io/client-go",
	"sigs.k8s.io/controller-runtime",
}

// ThisRun describes the running program: its command line, without the folder
// of the program, and machine and versions. budget says what it was limited to.
func ThisRun(seed uint64, budget string, programs map[string]string) Run {
	return Run{
		Command: strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " "),
		Seed:    seed, Began: time.Now().UTC(), Budget: budget,
		Machine: ThisMachine(), Versions: TheseVersions(programs),
	}
}

// TheseVersions returns the versions of Go and of the measured modules that the
// program was built from, the revision where the build knew it, and those of
// programs, such as lab.Lab.Versions returns.
func TheseVersions(programs map[string]string) Versions {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return versions(info, programs)
}

func versions(info *debug.BuildInfo, programs map[string]string) Versions {
	v := Versions{"go": info.GoVersion}
	maps.Copy(v, programs)
	for _, m := range info.Deps {
		for _, name := range measured {
			if m.Path == name {
				v[name] = m.Version
			}
		}
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v["revision"] = s.Value + v["revision"]
		case s.Key == "vcs.modified" && s.Value == "true":
			v["revision"] += " (modified)"
		}
	}
	return v
}
