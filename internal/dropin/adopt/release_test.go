package adopt

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

const (
	tree    = "../../.."
	library = "github.com/holdfast-go/holdfast"
)

// released are the folders of the modules that a user may require.
var released = []string{".", "leaderelection/prometheus", "leaderelection/controllerruntime"}

func pathOf(folder string) string {
	if folder == "." {
		return library
	}
	return library + "/" + folder
}

// parse returns the go.mod of a folder of the tree.
func parse(t *testing.T, folder string) *modfile.File {
	t.Helper()
	path := filepath.Join(tree, folder, "go.mod")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := modfile.Parse(path, content, nil)
	require.NoError(t, err)
	return file
}

// release puts a folder's module into a proxy as that version. Whatever it
// requires of its siblings it requires in the same version: one tag each, all of
// the same number.
func release(t *testing.T, proxy, folder, version string) {
	t.Helper()
	file := parse(t, folder)
	for _, sibling := range released {
		for _, required := range file.Require {
			if required.Mod.Path == pathOf(sibling) {
				require.NoError(t, file.AddRequire(pathOf(sibling), version))
			}
		}
	}
	content, err := file.Format()
	require.NoError(t, err)
	m := module.Version{Path: pathOf(folder), Version: version}
	at := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	require.NoError(t, os.MkdirAll(at, 0o755))
	mod := filepath.Join(at, version+".mod")
	require.NoError(t, os.WriteFile(mod, content, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(at, version+".info"), fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(at, "list"), []byte(version+"\n"), 0o644))

	checked, err := modzip.CheckDir(filepath.Join(tree, folder))
	require.NoError(t, err)
	require.NoError(t, checked.Err(), "the module could not be tagged")
	var files []modzip.File
	for _, at := range checked.Valid {
		path, err := filepath.Rel(filepath.Join(tree, folder), at)
		require.NoError(t, err)
		f := onDisk{path: filepath.ToSlash(path), at: at}
		switch f.path {
		case "go.mod":
			f.at = mod
		case ".git": // a file, in a worktree
			continue
		}
		files = append(files, f)
	}
	archive, err := os.Create(filepath.Join(at, version+".zip"))
	require.NoError(t, err)
	defer func() { require.NoError(t, archive.Close()) }()
	require.NoError(t, modzip.Create(archive, m, files))
}

// onDisk is a file of a module, and where it lies.
type onDisk struct{ path, at string }

func (f onDisk) Path() string                 { return f.path }
func (f onDisk) Lstat() (os.FileInfo, error)  { return os.Lstat(f.at) }
func (f onDisk) Open() (io.ReadCloser, error) { return os.Open(f.at) }

// The version that the modules require of each other is the one that is released
// next, or else the first release could not be used.
func TestModulesRequireEachOtherInTheVersionThatIsReleasedNext(t *testing.T) {
	changelog, err := os.ReadFile(filepath.Join(tree, "CHANGELOG.md"))
	require.NoError(t, err)
	newest := regexp.MustCompile(`(?m)^## (v\d+\.\d+\.\d+)`).FindSubmatch(changelog)
	require.NotNil(t, newest, "CHANGELOG.md begins with the newest version")
	found := 0
	for _, folder := range released {
		file := parse(t, folder)
		assert.Equal(t, parse(t, ".").Go.Version, file.Go.Version, "%s: one Go version for all that is released", folder)
		for _, sibling := range released {
			for _, required := range file.Require {
				if required.Mod.Path == pathOf(sibling) {
					found++
					assert.Equal(t, string(newest[1]), required.Mod.Version, "%s requires %s", folder, pathOf(sibling))
				}
			}
		}
	}
	assert.Equal(t, 3, found)
}
