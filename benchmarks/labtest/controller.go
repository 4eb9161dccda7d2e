package labtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildController builds the example controller into a folder and returns its
// path. It is called from a package of this module, and takes what the module
// cache holds: there is no network in the laboratory.
func BuildController(ctx context.Context, folder string) (string, error) {
	program := filepath.Join(folder, "controller")
	command := exec.CommandContext(ctx, "go", "build", "-o", program, "./examples/controller")
	command.Dir = filepath.Join("..", "..")
	command.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the controller: %w\n%s", err, output)
	}
	return program, nil
}
