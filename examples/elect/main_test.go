package main

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// mode has the test binary be the command itself.
const mode = "ELECT_TEST_MODE"

const (
	asElect = "elect"
	asFirst = "first process" // of a PID namespace, with a /proc of its own
)

func TestMain(m *testing.M) {
	switch os.Getenv(mode) {
	case asFirst:
		if err := mountProc(); err != nil {
			fmt.Fprintln(os.Stderr, "mounting /proc:", err)
			os.Exit(99)
		}
		fallthrough
	case asElect:
		os.Unsetenv(mode)
		os.Exit(exitCode(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func mountProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}
