package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const module = "github.com/holdfast-go/holdfast/benchmarks"

// buildGrace is how long an interrupted build may take to tidy up.
const buildGrace = 10 * time.Second

// build compiles the program into the file out.
func (p program) build(ctx context.Context, out string, progress io.Writer) error {
	source, err := p.source(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "lab: building %s v%s, once: its modules are fetched first, and two cores need some five minutes\n", p.name, p.version)
	stop := tell(progress, func() string { return "building " + p.name })
	defer stop()

	args := []string{"build", "-buildvcs=false", "-o", out}
	if p.ldflags != "" {
		major, rest, _ := strings.Cut(p.version, ".")
		minor, _, _ := strings.Cut(rest, ".")
		args = append(args, "-ldflags", fmt.Sprintf(p.ldflags, p.version, major, minor))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.pkg)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off")
	// Interrupted, the go command takes its children and its own temporary
	// files with it; killed, it would leave them.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = buildGrace
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s in %s: %w: %s", strings.Join(cmd.Args, " "), source, err, lastLines(said.String(), closingLog))
	}
	return nil
}

// source is the folder of the module that pins the program. It lies next to
// this file, unless the paths were trimmed from the program that asks.
func (p program) source(ctx context.Context) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "binaries", p.module)
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return dir, nil
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find the sources of %s: they are not in %s, and go list does not know them: %w", module, dir, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "lab", "binaries", p.module), nil
}

// lastLines are the last n lines of the text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
