package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A folder holds a lab's files. A temporary one is locked for as long as its
// lab lives, so that a later lab can tell the leavings of a dead one, and
// bears the number of the process outside the laboratory, so that this one can
// remove it when the laboratory was killed.
type folder struct {
	path      string
	temporary bool
	lock      *os.File // nil unless temporary
}

const (
	folderPrefix = "holdfast-lab-"
	keptPrefix   = folderPrefix + "kept-"
)

// staleAfter is the age from which an unlocked folder is a dead lab's: a
// younger one may be between its making and its locking.
const staleAfter = time.Minute

func newFolder(dir string, keep bool) (*folder, error) {
	if dir != "" {
		return namedFolder(dir)
	}
	sweep(os.TempDir(), time.Now().Add(-staleAfter))
	prefix := folderPrefix + outerPID() + "-"
	if keep {
		prefix = keptPrefix
	}
	path, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	if keep {
		return &folder{path: path}, nil
	}
	lock, err := lockFolder(path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &folder{path: path, temporary: true, lock: lock}, nil
}

func namedFolder(dir string) (*folder, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", dir, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("folder %q: %w", dir, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", dir, err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("folder %q: holds %q already: Dir must be empty or new", dir, entries[0].Name())
	}
	return &folder{path: path}, nil
}

func (f *folder) close() error {
	if !f.temporary {
		return nil
	}
	return errors.Join(os.RemoveAll(f.path), f.lock.Close())
}

// sweep removes the temporary folders of dead labs that nobody has touched
// since the given time. What cannot be removed, for instance another user's,
// stays: it does no harm.
func sweep(in string, untouchedSince time.Time) {
	paths, _ := filepath.Glob(filepath.Join(in, folderPrefix+"[0-9]*"))
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || info.ModTime().After(untouchedSince) {
			continue
		}
		lock, err := lockFolder(path)
		if err != nil {
			continue // its lab lives
		}
		_ = os.RemoveAll(path)
		_ = lock.Close()
	}
}
