package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// missing says what this machine lacks for a node, and where Debian has it.
func missing() error {
	var errs []error
	if !isRoot() {
		errs = append(errs, errors.New("it takes root, not only a user namespace: control groups and mounts are the machine's"))
	}
	for _, p := range []struct{ program, debian string }{
		{"containerd", "containerd"}, {"ctr", "containerd"}, {"containerd-shim-runc-v2", "containerd"}, {"runc", "runc"}, {"nft", "nftables"},
	} {
		if _, err := exec.LookPath(p.program); err != nil {
			errs = append(errs, fmt.Errorf("%s is missing, Debian's package %s has it: %w", p.program, p.debian, err))
		}
	}
	for _, plugin := range []string{"bridge", "host-local", "loopback"} {
		if _, err := os.Stat(filepath.Join(pluginFolder, plugin)); err != nil {
			errs = append(errs, fmt.Errorf("the network plugin %s is missing, Debian's package containernetworking-plugins has it: %w", plugin, err))
		}
	}
	return errors.Join(errs...)
}
