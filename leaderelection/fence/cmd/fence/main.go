// Command fence prints the manifests of a fence as YAML, for `kubectl apply -f -`:
//
//	go run github.com/holdfast-go/holdfast/leaderelection/fence/cmd/fence \
//		-lease kube-system/my-controller -serviceaccount my-controller \
//		-resource deployments.apps -resource configmaps:create,update
//
// What the fence does not cover is said on standard error. The exit code is 2 when
// a flag is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, log io.Writer) int {
	f, err := read(args, log)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var manifests []byte
	if err == nil {
		manifests, err = f.YAML()
	}
	if err != nil {
		fmt.Fprintln(log, "fence:", err)
		return 2
	}
	for _, warning := range f.Warnings() {
		fmt.Fprintln(log, "fence: note:", warning)
	}
	if _, err := out.Write(manifests); err != nil {
		fmt.Fprintln(log, "fence:", err)
		return 1
	}
	return 0
}

// read makes a fence of the command line.
func read(args []string, log io.Writer) (f fence.Fence, err error) {
	flags := flag.NewFlagSet("fence", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Func("lease", "the Lease of the election, `NAMESPACE/NAME`", func(text string) error {
		var found bool
		if f.Lease.Namespace, f.Lease.Name, found = strings.Cut(text, "/"); !found {
			return errors.New("must be NAMESPACE/NAME")
		}
		return nil
	})
	flags.Func("serviceaccount", "the ServiceAccount of the contenders, `NAME` in the Lease's namespace or NAMESPACE/NAME", func(text string) error {
		f.ServiceAccount.Name = text
		if namespace, name, found := strings.Cut(text, "/"); found {
			f.ServiceAccount.Namespace, f.ServiceAccount.Name = namespace, name
		}
		return nil
	})
	flags.Func("resource", "a `RESOURCE` that only the leader writes, as kubectl names it: NAME, NAME.GROUP or NAME.GROUP/SUBRESOURCE, with :create,update,delete,connect for some of these alone (repeated)", func(text string) error {
		resource, err := fence.ParseResource(text)
		f.Resources = append(f.Resources, resource)
		return err
	})
	flags.Func("namespace", "a `NAMESPACE` in which the resources are fenced; without any, in all (repeated)", func(text string) error {
		f.Namespaces = append(f.Namespaces, text)
		return nil
	})
	flags.BoolVar(&f.ByName, "by-name", false, "compare the name of the Pod alone, while client-go's contenders take part")
	flags.BoolVar(&f.NoExpiry, "no-expiry", false, "do not refuse a holder whose lease has expired, as long as nobody has taken it")
	flags.DurationVar(&f.ClockSkew, "clock-skew", 0, "how far a holder's clock may be behind the API server's")
	flags.BoolVar(&f.Term, "term", false, "stamp the number of the term on what is written; needs Kubernetes 1.37")
	if err := flags.Parse(args); err != nil {
		return f, err
	}
	if flags.NArg() > 0 {
		return f, fmt.Errorf("argument %q: there are none beside flags; -help lists them", flags.Arg(0))
	}
	return f, nil
}
