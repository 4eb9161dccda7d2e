// Command prepare finds or builds the programs that the laboratory runs, so
// that a build script pays for it once, with progress shown, before any test's
// clock runs:
//
//	go run ./lab/prepare
//
// It prints their paths on standard output, progress on standard error, and
// exits with code 1 and one sentence if something is missing.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := lab.Prepare(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(b.KubeAPIServer)
	fmt.Println(b.Etcd)
}
