// Command prepare finds or builds the programs that the laboratory runs, so
// that a build script pays for it once, with progress shown, before any test's
// clock runs:
//
//	go run ./lab/prepare
//	go run ./lab/prepare -all     // and an API server of each minor version
//	go run ./lab/prepare -nodes   // and what nodes run
//
// It prints their paths on standard output, progress on standard error, and
// exits with code 1 and one sentence if something is missing.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

func main() {
	all := flag.Bool("all", false, "prepare an API server of each of the minor versions "+strings.Join(lab.Minors(), ", "))
	nodes := flag.Bool("nodes", false, "prepare what nodes run: kubelet and kube-proxy")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "prepare: %q: there are no arguments\n", flag.Args())
		os.Exit(2)
	}
	var minors []string
	if *all {
		minors = lab.Minors()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := lab.Prepare(ctx, os.Stderr, minors...)
	if err == nil && *nodes {
		err = b.PrepareNodes(ctx, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(b.KubeAPIServer)
	fmt.Println(b.Etcd)
	for _, minor := range slices.Sorted(maps.Keys(b.Minors)) {
		fmt.Println(b.Minors[minor])
	}
	if b.Kubelet != "" {
		fmt.Println(b.Kubelet)
		fmt.Println(b.KubeProxy)
	}
}
