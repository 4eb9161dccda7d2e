package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Hierarchy is one of the machine's hierarchies of control groups (version 1).
type Hierarchy struct {
	// Options are those that mount it, such as "memory", "cpu,cpuacct" or
	// "none,name=systemd".
	Options string
	// Folder is where it is mounted.
	Folder string
}

// Hierarchies are those of the machine. The kernel has one of each, so what is made
// there is the machine's: its names begin with [GroupPrefix], and [Enter] removes what
// is left of them.
func Hierarchies() ([]Hierarchy, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("lab: hierarchies of control groups: %w", err)
	}
	defer mounts.Close()
	var found []Hierarchy
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		if h, ok := hierarchy(lines.Text()); ok {
			found = append(found, h)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("lab: hierarchies of control groups: none of version 1 is mounted (boot with systemd.unified_cgroup_hierarchy=0)")
	}
	return found, nil
}

// hierarchy reads a line of mountinfo.
func hierarchy(line string) (Hierarchy, bool) {
	fields := strings.Fields(line)
	dash := slices.Index(fields, "-")
	if dash < 5 || len(fields) < dash+4 || fields[dash+1] != "cgroup" {
		return Hierarchy{}, false
	}
	var options []string
	for option := range strings.SplitSeq(fields[dash+3], ",") {
		switch {
		case option == "rw", option == "ro", option == "xattr", option == "clone_children", strings.HasPrefix(option, "release_agent="):
		case strings.HasPrefix(option, "name="):
			options = append(options, "none", option)
		default:
			options = append(options, option)
		}
	}
	return Hierarchy{strings.Join(options, ","), fields[4]}, len(options) > 0
}

// GroupPrefix begins the names of the control groups of this laboratory.
func GroupPrefix() string { return folderPrefix + outerPID() + "-" }

// groupWait is how long the kernel may take to let go of a group whose last process
// has gone.
const groupWait = 5 * time.Second

// RemoveGroups removes the control groups whose names match the pattern
// ([filepath.Match]), and the groups in them, from every hierarchy. Their processes must
// have ended.
func RemoveGroups(pattern string) error {
	all, err := Hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range all {
		groups, _ := filepath.Glob(filepath.Join(h.Folder, pattern))
		for _, group := range groups {
			errs = append(errs, removeGroup(group))
		}
	}
	return errors.Join(errs...)
}

func removeGroup(group string) error {
	var folders []string
	err := filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		return nil // what has gone meanwhile need not be removed
	})
	if err != nil {
		return fmt.Errorf("lab: remove control group: %w", err)
	}
	slices.Reverse(folders) // the inner ones first
	for _, folder := range folders {
		for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			err := unix.Rmdir(folder)
			if err == nil || errors.Is(err, unix.ENOENT) {
				break
			}
			if !errors.Is(err, unix.EBUSY) || time.Since(begin) > groupWait {
				return fmt.Errorf("lab: remove control group %s: %w", folder, err)
			}
		}
	}
	return nil
}
