// Serve is a Lease API in memory for programs of other modules to try out:
// it serves on loopback, writes a kubeconfig that leads there, and ends on
// SIGTERM, SIGINT or after -for.
//
//	go run ./internal/leaseapi/serve -kubeconfig /tmp/kubeconfig
//
// Package leaseapi says what it promises and lacks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends or the time is up. It prints one line when clients
// may come.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	path := flags.String("kubeconfig", "", "`file` to write the kubeconfig to; required")
	long := flags.Duration("for", 10*time.Minute, "ends by itself after this `time`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *path == "" {
		return errors.New("-kubeconfig is empty: it must name the file to write")
	}
	if *long <= 0 {
		return fmt.Errorf("-for %v: must be positive", *long)
	}
	ctx, cancel := context.WithTimeout(ctx, *long)
	defer cancel()

	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("api")
	if err != nil {
		return fmt.Errorf("serving on loopback: %w", err)
	}
	if err := clientcmd.WriteToFile(kubeconfig(endpoint.Config()), *path); err != nil {
		return errors.Join(fmt.Errorf("-kubeconfig %q: %w", *path, err), endpoint.Close())
	}
	fmt.Fprintf(out, "serving %s\n", endpoint.Config().Host)
	<-ctx.Done()
	return endpoint.Close()
}

// kubeconfig returns config as a file has it. The API asks for no credentials.
func kubeconfig(config *rest.Config) clientcmdapi.Config {
	const name = "leaseapi"
	return clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: config.Host, CertificateAuthorityData: config.CAData, TLSServerName: config.ServerName}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
}
