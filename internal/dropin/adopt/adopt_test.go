package adopt

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// user is a program that has a module of its own.
type user struct {
	folder string
	env    []string
}

// newUser copies a program from testdata. Its modules come from proxy first.
func newUser(t *testing.T, name, proxy string) *user {
	t.Helper()
	u := &user{folder: t.TempDir()}
	for from, to := range map[string]string{"main.go": "main.go", "go.mod.txt": "go.mod"} {
		content, err := os.ReadFile(filepath.Join("testdata", name, from))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(u.folder, to), content, 0o644))
	}
	others := strings.TrimSpace(u.run(t, "go", "env", "GOPROXY"))
	u.env = []string{
		"GOPROXY=file://" + filepath.ToSlash(proxy) + "," + others, "GONOSUMDB=" + library + "*",
		"GOFLAGS=-mod=mod", "GOWORK=off",
	}
	return u
}

func (u *user) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir, command.Env = u.folder, append(os.Environ(), u.env...)
	var problems strings.Builder
	command.Stderr = &problems
	output, err := command.Output()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), &problems)
	return string(output)
}

// modules returns the version of each module that the program is built from.
func (u *user) modules(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for line := range strings.Lines(u.run(t, "go", "list", "-m", "all")) {
		if path, version, found := strings.Cut(strings.TrimSpace(line), " "); found {
			versions[path] = version
		}
	}
	require.NotEmpty(t, versions)
	return versions
}

// replace changes the program: each old text stands in it and becomes the new one.
func (u *user) replace(t *testing.T, pairs ...string) {
	t.Helper()
	path := filepath.Join(u.folder, "main.go")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(t, string(content), pairs[i])
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(content))), 0o644))
}

// forget removes a version of ours from the module cache.
func forget(t *testing.T, cache, version string) {
	t.Helper()
	for _, folder := range released {
		path := filepath.FromSlash(pathOf(folder))
		extracted := filepath.Join(cache, path+"@"+version)
		_ = filepath.WalkDir(extracted, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(path, 0o755)
			}
			return err
		})
		assert.NoError(t, os.RemoveAll(extracted))
		files, err := filepath.Glob(filepath.Join(cache, "cache", "download", path, "@v", version+".*"))
		assert.NoError(t, err)
		for _, file := range files {
			assert.NoError(t, os.Remove(file))
		}
	}
}

func TestAUserBuildsAgainstWhatIsReleased(t *testing.T) {
	// A version of this run's own, since the module cache keeps what it has seen.
	version := fmt.Sprintf("v0.0.0-tree.%d", time.Now().UnixNano())
	proxy := t.TempDir()
	for _, folder := range released {
		release(t, proxy, folder, version)
	}
	cache := strings.TrimSpace((&user{folder: "."}).run(t, "go", "env", "GOMODCACHE"))
	t.Cleanup(func() { forget(t, cache, version) })
	for name, c := range map[string]struct {
		swap []string
		adds []string
	}{
		"client-go": {
			swap: []string{
				`"k8s.io/client-go/tools/leaderelection/resourcelock"`, `"` + library + `/resourcelock"`,
				`"k8s.io/client-go/tools/leaderelection"`, `"` + library + `/leaderelection"`,
			},
			adds: []string{library},
		},
		"controller-runtime": {
			swap: []string{
				"	ctrl \"sigs.k8s.io/controller-runtime\"\n", "	ctrl \"sigs.k8s.io/controller-runtime\"\n	holdfastctrl \"" + library + "/leaderelection/controllerruntime\"\n",
				"ctrl.NewManager(ctrl", "holdfastctrl.NewManager(ctrl",
			},
			adds: []string{library, library + "/leaderelection/controllerruntime", library + "/leaderelection/prometheus"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, name, proxy)
			u.run(t, "go", "mod", "tidy")
			before := u.modules(t)
			u.replace(t, c.swap...)
			for _, path := range c.adds {
				u.run(t, "go", "mod", "edit", "-require="+path+"@"+version)
			}
			u.run(t, "go", "mod", "tidy")
			u.run(t, "go", "build", "-o", os.DevNull, ".")

			after := u.modules(t)
			var added []string
			for _, path := range slices.Sorted(maps.Keys(after)) {
				if _, known := before[path]; !known {
					added = append(added, path)
				}
			}
			assert.Equal(t, c.adds, added, "what adopting adds to go list -m all")
			for path, version := range before {
				assert.Equal(t, version, after[path], "adopting changes the version of %s", path)
			}
			assert.Contains(t, u.run(t, "go", "mod", "edit", "-print"), "\ngo 1.25.0\n", "adopting asks for no newer Go")
		})
	}
}
