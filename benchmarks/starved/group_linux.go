package starved

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// group is a control group whose processes share a quota of CPU.
type group struct {
	folder string
	v2     bool
}

// period is over which a quota is counted, the kernel's default.
const period = 100 * time.Millisecond

const (
	foldersV1 = "/sys/fs/cgroup/cpu"
	foldersV2 = "/sys/fs/cgroup"
)

// newGroup makes a control group that may use percent of one CPU.
func newGroup(name string, percent float64) (*group, error) {
	g := &group{folder: filepath.Join(foldersV1, name)}
	if _, err := os.Stat(filepath.Join(foldersV2, "cgroup.controllers")); err == nil {
		g.folder, g.v2 = filepath.Join(foldersV2, name), true
	}
	if err := os.Mkdir(g.folder, 0o755); err != nil {
		return nil, fmt.Errorf("make a control group with a quota of CPU: %w (it takes root, and the cpu controller)", err)
	}
	quota := strconv.FormatInt(int64(percent/100*float64(period.Microseconds())), 10)
	limit := strconv.FormatInt(period.Microseconds(), 10)
	var err error
	if g.v2 {
		err = g.write("cpu.max", quota+" "+limit)
	} else {
		err = errors.Join(g.write("cpu.cfs_period_us", limit), g.write("cpu.cfs_quota_us", quota))
	}
	if err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

func (g *group) write(file, text string) error {
	if err := os.WriteFile(filepath.Join(g.folder, file), []byte(text), 0o644); err != nil {
		return fmt.Errorf("quota of CPU: %w", err)
	}
	return nil
}

// take puts the process into the group, with all its threads.
func (g *group) take(pid int) error { return g.write("cgroup.procs", strconv.Itoa(pid)) }

// remove removes the group, whose processes must have ended. The kernel takes a
// moment to forget them.
func (g *group) remove() error {
	var err error
	for range 50 {
		if err = os.Remove(g.folder); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("remove the control group: %w", err)
}
