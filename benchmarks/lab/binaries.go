package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Binaries are the paths of the programs that a lab runs.
type Binaries struct{ KubeAPIServer, Etcd string }

// AssetsVariable names the environment variable that points to a folder with
// kube-apiserver and etcd, as controller-runtime's envtest has it.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// The environment through which Enter hands the paths to the inside.
const (
	apiserverVariable = "HOLDFAST_LAB_KUBE_APISERVER"
	etcdVariable      = "HOLDFAST_LAB_ETCD"
)

// A program is one that the laboratory builds, from a module of its own in
// binaries/<name> that pins the version of everything it is made of.
type program struct {
	name    string
	pkg     string // the main package
	version string // as pinned there; a test compares
	ldflags string // with %s's for the version, its major and its minor
}

var programs = [...]program{
	{
		name: "kube-apiserver", pkg: "k8s.io/kubernetes/cmd/kube-apiserver", version: "1.37.2",
		// A server that does not know its version takes itself for 0.0 and
		// switches off what has come since.
		ldflags: "-X k8s.io/component-base/version.gitVersion=v%s" +
			" -X k8s.io/component-base/version.gitMajor=%s" +
			" -X k8s.io/component-base/version.gitMinor=%s",
	},
	{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", version: "3.7.3"},
}

// Prepare finds the programs or builds them. Where KUBEBUILDER_ASSETS is set
// it takes them from there, whatever their version. Otherwise it takes them from
// holdfast/lab in the user's cache folder ([os.UserCacheDir]), and builds what
// is missing there, which takes the go command, a module proxy and minutes,
// once. Progress, which may be nil, gets a line every 15 s of that. Any number
// of processes may call it at the same time: one builds, the others wait.
//
// [Enter] calls it; a program of its own (lab/prepare) lets a build script pay
// the price before any test's clock runs.
func Prepare(ctx context.Context, progress io.Writer) (Binaries, error) {
	if progress == nil {
		progress = io.Discard
	}
	if dir := os.Getenv(AssetsVariable); dir != "" {
		b := Binaries{KubeAPIServer: filepath.Join(dir, "kube-apiserver"), Etcd: filepath.Join(dir, "etcd")}
		if err := b.check(); err != nil {
			return Binaries{}, fmt.Errorf("lab: %s=%s: %w", AssetsVariable, dir, err)
		}
		return b, nil
	}
	cache, err := cacheFolder()
	if err != nil {
		return Binaries{}, err
	}
	var paths [len(programs)]string
	for i, p := range programs {
		if paths[i], err = p.cached(ctx, cache, progress); err != nil {
			return Binaries{}, fmt.Errorf("lab: %s v%s: %w", p.name, p.version, err)
		}
	}
	return Binaries{KubeAPIServer: paths[0], Etcd: paths[1]}, nil
}

func cacheFolder() (string, error) {
	advice := fmt.Sprintf("set HOME or XDG_CACHE_HOME to a folder that can be written, or %s to one with kube-apiserver and etcd", AssetsVariable)
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("lab: no folder to keep programs in (%w): %s", err, advice)
	}
	cache := filepath.Join(base, "holdfast", "lab")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("lab: no folder to keep programs in (%w): %s", err, advice)
	}
	return cache, nil
}

// cached returns the path of the program in the cache, and builds it if it is
// not there.
func (p program) cached(ctx context.Context, cache string, progress io.Writer) (string, error) {
	path := filepath.Join(cache, fmt.Sprintf("%s-v%s-%s-%s", p.name, p.version, runtime.GOOS, runtime.GOARCH))
	if executable(path) == nil && p.verify(ctx, path) == nil {
		return path, nil
	}
	lock, err := lockFile(ctx, path+".lock", func() {
		fmt.Fprintf(progress, "lab: another process is building %s v%s; waiting for it\n", p.name, p.version)
	})
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if executable(path) == nil && p.verify(ctx, path) == nil {
		return path, nil
	}
	partial := path + ".partial"
	defer os.Remove(partial) // gone already if all went well
	if err := p.build(ctx, partial, progress); err != nil {
		return "", err
	}
	if err := p.verify(ctx, partial); err != nil {
		return "", err
	}
	return path, os.Rename(partial, path)
}

// verify asks the program itself whether it is the version its name promises.
func (p program) verify(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", path, err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	if fields := strings.Fields(first); len(fields) == 0 || strings.TrimPrefix(fields[len(fields)-1], "v") != p.version {
		return fmt.Errorf("%s --version says %q, not %s", path, first, p.version)
	}
	return nil
}

// prepared are the programs that Enter has handed in.
func prepared() Binaries {
	return Binaries{KubeAPIServer: os.Getenv(apiserverVariable), Etcd: os.Getenv(etcdVariable)}
}

// check reports what is missing.
func (b Binaries) check() error {
	return errors.Join(
		missingProgram("kube-apiserver", b.KubeAPIServer),
		missingProgram("etcd", b.Etcd),
	)
}

func missingProgram(name, path string) error {
	if path == "" {
		return fmt.Errorf("no path to %s", name)
	}
	if err := executable(path); err != nil {
		return fmt.Errorf("%s is missing: %w", name, err)
	}
	return nil
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is no program that can be run (%s)", path, info.Mode())
	}
	return nil
}
