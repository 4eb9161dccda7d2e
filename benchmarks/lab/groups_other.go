//go:build !linux

package lab

// GroupPrefix begins the names of the control groups of this laboratory.
func GroupPrefix() string { return folderPrefix + outerPID() + "-" }

// RemoveGroups says that only Linux has control groups.
func RemoveGroups(string) error { return errSystem }
