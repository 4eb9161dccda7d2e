package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Binaries are the paths of the programs that a lab runs.
type Binaries struct {
	KubeAPIServer, Etcd string
	// Minors are API servers beside KubeAPIServer, by the minor version that
	// [Options].APIServerMinors calls them by, such as "1.36".
	Minors map[string]string
	// Kubelet and KubeProxy run on nodes (package lab/node), of the version of the newest
	// API server. They are empty unless [PrepareNodes] or [EnterWithNodes] was asked.
	Kubelet, KubeProxy string
}

// AssetsVariable names the environment variable that points to a folder with
// kube-apiserver and etcd, as controller-runtime's envtest has it.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// The environment through which Enter hands the paths to the inside.
const (
	apiserverVariable = "HOLDFAST_LAB_KUBE_APISERVER"
	etcdVariable      = "HOLDFAST_LAB_ETCD"
	kubeletVariable   = "HOLDFAST_LAB_KUBELET"
	kubeProxyVariable = "HOLDFAST_LAB_KUBE_PROXY"
)

// A program is one that the laboratory builds, from a module of its own in
// binaries/<module> that pins the version of everything it is made of.
type program struct {
	name    string
	module  string
	pkg     string // the main package
	version string // as pinned there; a test compares
	ldflags string // with %s's for the version, its major and its minor
}

// kubeAPIServers are the API servers that there are, the newest first.
var kubeAPIServers = []program{kubeAPIServer("1.37.2"), kubeAPIServer("1.36.5")}

var etcd = program{name: "etcd", module: "etcd", pkg: "go.etcd.io/etcd/server/v3", version: "3.7.3"}

var (
	kubelet   = ofKubernetes("kubelet", "1.37.2")
	kubeProxy = ofKubernetes("kube-proxy", "1.37.2")
)

func kubeAPIServer(version string) program { return ofKubernetes("kube-apiserver", version) }

func ofKubernetes(name, version string) program {
	return program{
		name: name, module: name + "-" + minorOf(version),
		pkg: "k8s.io/kubernetes/cmd/" + name, version: version,
		// A server that does not know its version takes itself for 0.0 and
		// switches off what has come since.
		ldflags: "-X k8s.io/component-base/version.gitVersion=v%s" +
			" -X k8s.io/component-base/version.gitMajor=%s" +
			" -X k8s.io/component-base/version.gitMinor=%s",
	}
}

// minorOf is "1.36" of "1.36.5".
func minorOf(version string) string { return version[:strings.LastIndexByte(version, '.')] }

// Minors are the minor versions of the API servers that the laboratory can
// build, the newest first, such as "1.37". A lab runs the newest unless
// [Options].APIServerMinors says otherwise.
func Minors() []string {
	var minors []string
	for _, p := range kubeAPIServers {
		minors = append(minors, minorOf(p.version))
	}
	return minors
}

// Prepare finds the programs or builds them. Where KUBEBUILDER_ASSETS is set
// it takes them from there, whatever their version. Otherwise it takes them from
// holdfast/lab in the user's cache folder ([os.UserCacheDir]), and builds what
// is missing there, which takes the go command, a module proxy and minutes,
// once. Progress, which may be nil, gets a line every 15 s of that. Any number
// of processes may call it at the same time: one builds, the others wait.
//
// An API server of each of the minors, which [Minors] lists, is prepared beside
// them. It comes from the cache folder or is built even if KUBEBUILDER_ASSETS is
// set, since nobody knows what version is there.
//
// [Enter] calls it; a program of its own (lab/prepare) lets a build script pay
// the price before any test's clock runs.
func Prepare(ctx context.Context, progress io.Writer, minors ...string) (Binaries, error) {
	if progress == nil {
		progress = io.Discard
	}
	if err := checkMinors(minors); err != nil {
		return Binaries{}, err
	}
	b := Binaries{Minors: map[string]string{}}
	var err error
	if dir := os.Getenv(AssetsVariable); dir != "" {
		b.KubeAPIServer, b.Etcd = filepath.Join(dir, "kube-apiserver"), filepath.Join(dir, "etcd")
		if err := b.check(); err != nil {
			return Binaries{}, fmt.Errorf("lab: %s=%s: %w", AssetsVariable, dir, err)
		}
	} else {
		if b.KubeAPIServer, err = kubeAPIServers[0].find(ctx, progress); err != nil {
			return Binaries{}, err
		}
		if b.Etcd, err = etcd.find(ctx, progress); err != nil {
			return Binaries{}, err
		}
	}
	for _, p := range kubeAPIServers {
		minor := minorOf(p.version)
		if !slices.Contains(minors, minor) {
			continue
		}
		if b.Minors[minor], err = p.find(ctx, progress); err != nil {
			return Binaries{}, err
		}
	}
	return b, nil
}

// PrepareNodes finds or builds what nodes run, as [Prepare] does the programs of the
// control plane, and sets their paths in b. They come from the cache folder or are built
// whatever KUBEBUILDER_ASSETS says.
func (b *Binaries) PrepareNodes(ctx context.Context, progress io.Writer) (err error) {
	if progress == nil {
		progress = io.Discard
	}
	if b.Kubelet, err = kubelet.find(ctx, progress); err != nil {
		return err
	}
	b.KubeProxy, err = kubeProxy.find(ctx, progress)
	return err
}

// checkMinors says which of the minors there is no API server of.
func checkMinors(minors []string) error {
	for _, minor := range minors {
		if !slices.Contains(Minors(), minor) {
			return fmt.Errorf("lab: no kube-apiserver of the minor version %q can be built: must be one of %s", minor, strings.Join(Minors(), ", "))
		}
	}
	return nil
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

// find returns the path of the program in the user's cache folder, where it is
// built if it is missing.
func (p program) find(ctx context.Context, progress io.Writer) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	path, err := p.cached(ctx, cache, progress)
	if err != nil {
		return "", fmt.Errorf("lab: %s v%s: %w", p.name, p.version, err)
	}
	return path, nil
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

// handover is the environment by which Enter hands the programs to the inside.
func (b Binaries) handover() []string {
	env := []string{apiserverVariable + "=" + b.KubeAPIServer, etcdVariable + "=" + b.Etcd}
	for minor, path := range b.Minors {
		env = append(env, minorVariable(minor)+"="+path)
	}
	if b.Kubelet != "" {
		env = append(env, kubeletVariable+"="+b.Kubelet, kubeProxyVariable+"="+b.KubeProxy)
	}
	return env
}

// prepared are the programs that Enter has handed in.
func prepared() Binaries {
	b := Binaries{
		KubeAPIServer: os.Getenv(apiserverVariable), Etcd: os.Getenv(etcdVariable), Minors: map[string]string{},
		Kubelet: os.Getenv(kubeletVariable), KubeProxy: os.Getenv(kubeProxyVariable),
	}
	for _, minor := range Minors() {
		if path := os.Getenv(minorVariable(minor)); path != "" {
			b.Minors[minor] = path
		}
	}
	return b
}

// minorVariable is apiserverVariable for one minor version.
func minorVariable(minor string) string {
	return apiserverVariable + "_" + strings.ReplaceAll(minor, ".", "_")
}

// check reports what is missing.
func (b Binaries) check() error {
	errs := []error{
		missingProgram("kube-apiserver", b.KubeAPIServer),
		missingProgram("etcd", b.Etcd),
	}
	for _, minor := range slices.Sorted(maps.Keys(b.Minors)) {
		errs = append(errs, missingProgram("kube-apiserver "+minor, b.Minors[minor]))
	}
	return errors.Join(errs...)
}

// apiServer is the path of the API server of that minor version; empty means
// the one that has none.
func (b Binaries) apiServer(minor string) (string, error) {
	if minor == "" {
		return b.KubeAPIServer, nil
	}
	if path, ok := b.Minors[minor]; ok {
		return path, nil
	}
	return "", fmt.Errorf("no kube-apiserver of the minor version %q is prepared: name it to Enter, or in Options.Binaries", minor)
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

// PreparedNodes are the programs that [EnterWithNodes] has handed to the inside: the
// kubelet and kube-proxy are empty without it.
func PreparedNodes() Binaries { return prepared() }
