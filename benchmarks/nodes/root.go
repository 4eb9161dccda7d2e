package nodes

import (
	"path/filepath"
	"runtime"
)

// root is the folder of the repository that this package was built from.
func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..")
}
