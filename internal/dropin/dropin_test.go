// Package dropin proves that this library's packages can stand in for
// client-go's: every exported name is there, with a compatible type.
package dropin

import (
	"go/types"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"

	// What is compared, so that go.mod says which versions.
	_ "github.com/holdfast-go/holdfast/leaderelection"
	_ "k8s.io/client-go/tools/leaderelection"
)

const (
	upstreamRoot = "k8s.io/client-go/tools/leaderelection"
	ownRoot      = "github.com/holdfast-go/holdfast/"
)

var pairs = map[string]string{
	upstreamRoot:                   ownRoot + "leaderelection",
	upstreamRoot + "/resourcelock": ownRoot + "resourcelock",
}

// modVariable names the file that stands for go.mod where another client-go is
// compared with than go.mod requires; see .ci/versions.
const modVariable = "HOLDFAST_MODFILE"

func load(t *testing.T, paths ...string) map[string]*types.Package {
	t.Helper()
	config := &packages.Config{
		Context: t.Context(),
		Mode:    packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile | packages.NeedModule,
	}
	if file := os.Getenv(modVariable); file != "" {
		config.BuildFlags = []string{"-modfile=" + file}
	}
	loaded, err := packages.Load(config, paths...)
	require.NoError(t, err)
	byPath := map[string]*types.Package{}
	for _, p := range loaded {
		for _, e := range p.Errors {
			t.Fatalf("loading %s: %v", p.PkgPath, e)
		}
		byPath[p.PkgPath] = p.Types
		if p.PkgPath == upstreamRoot {
			t.Logf("compared with %s %s", p.Module.Path, p.Module.Version)
		}
	}
	return byPath
}

func TestEveryExportedNameOfUpstreamIsHereWithACompatibleType(t *testing.T) {
	var paths []string
	for upstream, own := range pairs {
		paths = append(paths, upstream, own)
	}
	loaded := load(t, paths...)
	for upstream, own := range pairs {
		t.Run(own, func(t *testing.T) {
			report := apidiff.Changes(loaded[upstream], loaded[own])
			for _, change := range report.Changes {
				if change.Compatible {
					t.Logf("we add: %s", change.Message)
					continue
				}
				assert.Fail(t, "not a drop-in", "%s: %s", own, change.Message)
			}
			assertNamesExist(t, loaded[upstream], loaded[own])
		})
	}
}

// assertNamesExist does not depend on how types are compared: no exported name,
// field or method may be missing.
func assertNamesExist(t *testing.T, upstream, own *types.Package) {
	t.Helper()
	checked := 0
	for _, name := range upstream.Scope().Names() {
		theirs := upstream.Scope().Lookup(name)
		if !theirs.Exported() {
			continue
		}
		checked++
		ours := own.Scope().Lookup(name)
		if !assert.NotNil(t, ours, "%s.%s is missing", own.Path(), name) {
			continue
		}
		assert.IsType(t, theirs, ours, "%s.%s is another kind of object", own.Path(), name)
		if _, isType := theirs.(*types.TypeName); !isType {
			continue
		}
		for _, member := range members(theirs.Type()) {
			found, _, _ := types.LookupFieldOrMethod(ours.Type(), true, own, member)
			assert.NotNil(t, found, "%s.%s.%s is missing", own.Path(), name, member)
		}
	}
	assert.Greater(t, checked, 5, "the upstream package was not loaded in full")
}

// members returns the names of the exported fields and methods of t.
func members(t types.Type) []string {
	var names []string
	if fields, ok := t.Underlying().(*types.Struct); ok {
		for field := range fields.Fields() {
			if field.Exported() {
				names = append(names, field.Name())
			}
		}
	}
	methods := types.NewMethodSet(types.NewPointer(t))
	if types.IsInterface(t) {
		methods = types.NewMethodSet(t)
	}
	for method := range methods.Methods() {
		if method.Obj().Exported() {
			names = append(names, method.Obj().Name())
		}
	}
	return names
}

// TestTheComparisonFindsWhatIsMissing shows that the proof can fail: the lock
// package is no stand-in for the elector's.
func TestTheComparisonFindsWhatIsMissing(t *testing.T) {
	loaded := load(t, upstreamRoot, ownRoot+"resourcelock")
	report := apidiff.Changes(loaded[upstreamRoot], loaded[ownRoot+"resourcelock"])
	var missing []string
	for _, change := range report.Changes {
		if !change.Compatible {
			missing = append(missing, change.Message)
		}
	}
	assert.Contains(t, strings.Join(missing, "\n"), "NewLeaderElector: removed")
}
