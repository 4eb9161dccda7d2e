package lab

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/version"
)

// controllerManager is what cmd/lab -program is tried on. The laboratory itself runs
// none: the script build in its module's folder builds it.
var controllerManager = ofKubernetes("kube-controller-manager", kubeAPIServers[0].version)

func TestVersionsAreThoseThatTheModulesPin(t *testing.T) {
	for _, p := range append(slices.Clone(kubeAPIServers), etcd, kubelet, kubeProxy, controllerManager) {
		mod, err := os.ReadFile(filepath.Join("binaries", p.module, "go.mod"))
		require.NoError(t, err)
		module := map[string]string{"kube-apiserver": "k8s.io/kubernetes", "kubelet": "k8s.io/kubernetes", "kube-proxy": "k8s.io/kubernetes", "kube-controller-manager": "k8s.io/kubernetes", "etcd": "go.etcd.io/etcd/server/v3"}[p.name]
		require.NotEmpty(t, module)
		assert.Regexp(t, regexp.QuoteMeta(module+" v"+p.version)+`\s`, string(mod), p.module)
		assert.Contains(t, string(mod), p.pkg)
	}
}

// A library of another release in an API server would make it one that nobody runs.
func TestAnAPIServerIsMadeOfTheLibrariesOfItsRelease(t *testing.T) {
	for _, p := range append(slices.Clone(kubeAPIServers), kubelet, kubeProxy, controllerManager) {
		mod, err := os.ReadFile(filepath.Join("binaries", p.module, "go.mod"))
		require.NoError(t, err)
		replaced := regexp.MustCompile(`(?m)^\t(k8s\.io/\S+) => (\S+) (\S+)$`).FindAllStringSubmatch(string(mod), -1)
		assert.Greater(t, len(replaced), 20, p.module)
		for _, r := range replaced {
			assert.Equal(t, r[1], r[2], p.module)
			assert.Equal(t, "v0"+strings.TrimPrefix(p.version, "1"), r[3], "%s: %s", p.module, r[1])
		}
	}
}

func TestTheKubeletIsOfTheNewestAPIServersVersion(t *testing.T) {
	assert.Equal(t, kubeAPIServers[0].version, kubelet.version)
}

func TestMinorsAreListedTheNewestFirst(t *testing.T) {
	minors := Minors()
	require.Len(t, minors, len(kubeAPIServers))
	for i, older := range minors[1:] {
		assert.True(t, version.MustParseGeneric(older).LessThan(version.MustParseGeneric(minors[i])), "%v", minors)
	}
}

func TestAMinorThatCannotBeBuiltIsNamedWithThoseThatCan(t *testing.T) {
	_, err := Prepare(t.Context(), nil, "1.36", "1.5")
	require.EqualError(t, err, `lab: no kube-apiserver of the minor version "1.5" can be built: must be one of 1.37, 1.36`)
}

func TestProgramsAreHandedToTheInsideAsTheyWerePrepared(t *testing.T) {
	b := Binaries{KubeAPIServer: "/a", Etcd: "/e", Kubelet: "/k", Minors: map[string]string{"1.36": "/old", "1.37": "/new"}}
	for _, minor := range Minors() {
		t.Setenv(minorVariable(minor), "")
	}
	for _, setting := range b.handover() {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	assert.Equal(t, b, prepared())
}

func TestStartSaysWhichMinorIsMissing(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	programs := Binaries{KubeAPIServer: self, Etcd: self, Minors: map[string]string{"1.36": self}}
	_, err = Start(t.Context(), Options{Binaries: programs, APIServerMinors: []string{"1.36", "", "1.35"}})
	require.ErrorContains(t, err, `APIServerMinors[2]: no kube-apiserver of the minor version "1.35" is prepared: name it to Enter`)
	_, err = Start(t.Context(), Options{Binaries: programs, APIServers: 1, APIServerMinors: []string{"1.36", "1.36"}})
	require.ErrorContains(t, err, `APIServerMinors names 2, ["1.36" "1.36"], for 1 API servers`)
	programs.Minors["1.36"] = "/no/such/server"
	_, err = Start(t.Context(), Options{Binaries: programs})
	require.ErrorContains(t, err, "kube-apiserver 1.36 is missing: stat /no/such/server")
}

func TestStartSaysWhichProgramIsMissing(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	_, err = Start(t.Context(), Options{Binaries: Binaries{KubeAPIServer: self, Etcd: "/no/such/etcd"}})
	require.EqualError(t, err, "lab: start: etcd is missing: stat /no/such/etcd: no such file or directory")
	_, err = Start(t.Context(), Options{Binaries: Binaries{KubeAPIServer: "prepare_linux_test.go", Etcd: self}})
	require.ErrorContains(t, err, "kube-apiserver is missing: prepare_linux_test.go is no program that can be run")
}

func TestStartSaysWhichOptionIsWrong(t *testing.T) {
	_, err := Start(t.Context(), Options{APIServers: -1})
	require.ErrorContains(t, err, "APIServers is -1")
	_, err = Start(t.Context(), Options{StartTimeout: -time.Second})
	require.ErrorContains(t, err, "StartTimeout is -1s")
	t.Setenv(stateVariable, "")
	_, err = Start(t.Context(), Options{})
	require.ErrorIs(t, err, ErrOutside)
}

func TestFailedBuildQuotesTheGoCommand(t *testing.T) {
	p := program{name: "etcd", module: "etcd", pkg: "./no-such-package", version: "3.7.3"}
	var progress bytes.Buffer
	err := p.build(t.Context(), filepath.Join(t.TempDir(), "etcd"), &progress)
	require.ErrorContains(t, err, "go build")
	require.ErrorContains(t, err, "no-such-package")
	assert.Contains(t, progress.String(), "building etcd v3.7.3")
}

func TestAProgramOfAnotherVersionIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etcd")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho etcd Version: 3.4.0\n"), 0o755))
	p := program{name: "etcd", version: "3.7.3"}
	require.ErrorContains(t, p.verify(t.Context(), path), `says "etcd Version: 3.4.0", not 3.7.3`)
	p.version = "3.4.0"
	require.NoError(t, p.verify(t.Context(), path))
}

func TestOneBuildsWhileOthersWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockFile(t.Context(), path, func() { t.Error("nobody to wait for") })
	require.NoError(t, err)

	waiting := make(chan struct{})
	got := make(chan error, 1)
	go func() {
		second, err := lockFile(t.Context(), path, func() { close(waiting) })
		if err == nil {
			err = second.Close()
		}
		got <- err
	}()
	<-waiting
	ctx, cancel := context.WithCancel(t.Context())
	_, err = lockFile(ctx, path, cancel)
	require.ErrorIs(t, err, context.Canceled)
	select {
	case <-got:
		t.Fatal("two hold the lock")
	default:
	}
	require.NoError(t, first.Close())
	require.NoError(t, <-got)
}

func TestSweepTakesOnlyWhatIsDead(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	old := func(name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
		return path
	}
	dead, kept, foreign := old(folderPrefix+"1-dead"), old(keptPrefix+"1"), old("other")
	young := filepath.Join(dir, folderPrefix+"1-young")
	require.NoError(t, os.Mkdir(young, 0o700))
	living, err := newFolder("", false) // sweeps as every lab does
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(living.path, time.Time{}, time.Now().Add(-time.Hour)))
	sweep(dir, time.Now().Add(-staleAfter))

	assert.NoDirExists(t, dead)
	for _, path := range []string{kept, foreign, young, living.path} {
		assert.DirExists(t, path)
	}
	require.NoError(t, living.close())
	assert.NoDirExists(t, living.path)
}

func TestANamedFolderMustBeEmptyAndStays(t *testing.T) {
	dir := t.TempDir()
	f, err := newFolder(filepath.Join(dir, "new"), false)
	require.NoError(t, err)
	require.NoError(t, f.close())
	assert.DirExists(t, f.path)
	_, err = newFolder(dir, false)
	require.ErrorContains(t, err, `holds "new" already`)
}

func TestWhatIsMissingNamesTheSetting(t *testing.T) {
	settings := func(name, value string) func(string) string {
		return func(n string) string {
			if n == name {
				return value
			}
			return ""
		}
	}
	for _, c := range []struct {
		euid        int
		name, value string
		want        string
	}{
		{1000, "kernel.unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=0 forbids and 1 allows"},
		{1000, "user.max_user_namespaces", "0", "user.max_user_namespaces=0 forbids and 10000 allows"},
		{1000, "kernel.apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=1 forbids and 0 allows"},
		{1000, "user.max_user_namespaces", "1000", "this kernel or container forbids: run as root"},
		{0, "user.max_user_namespaces", "0", "CAP_SYS_ADMIN"},
	} {
		assert.Contains(t, whatIsMissing(c.euid, settings(c.name, c.value)), c.want)
	}
}
