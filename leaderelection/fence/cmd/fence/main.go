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
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, log io.Writer) int {
	f, flags, err := read(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(log)
		flags.Usage()
		return 0
	}
	var manifests []byte
	if err == nil {
		manifests, err = f.YAML()
	}
	if err != nil {
		fmt.Fprintf(log, "fence: %v\nfence: -help lists the flags\n", err)
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
func read(args []string) (f fence.Fence, flags *flag.FlagSet, err error) {
	flags = flag.NewFlagSet("fence", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints what it returns
	flags.Func("lease", "the Lease of the election, `NAMESPACE/NAME`", func(text string) error {
		var found bool
		if f.Lease.Namespace, f.Lease.Name, found = strings.Cut(text, "/"); !found || strings.Contains(f.Lease.Name, "/") {
			return errors.New("must be NAMESPACE/NAME")
		}
		return nil
	})
	flags.Func("serviceaccount", "the ServiceAccount of the contenders, `NAME` in the Lease's namespace or NAMESPACE/NAME", func(text string) error {
		f.ServiceAccount.Name = text
		if namespace, name, found := strings.Cut(text, "/"); found {
			f.ServiceAccount.Namespace, f.ServiceAccount.Name = namespace, name
			if namespace == "" || strings.Contains(name, "/") {
				return errors.New("must be NAME or NAMESPACE/NAME")
			}
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
	flags.BoolFunc("by-name", "compare the name of the Pod alone, while client-go's contenders take part", set(&f.ByName))
	flags.BoolFunc("no-expiry", "do not refuse a holder whose lease has expired, as long as nobody has taken it", set(&f.NoExpiry))
	flags.Func("clock-skew", "how far a holder's clock may be behind the API server's, a `DURATION` such as 2s (default 0)", func(text string) (err error) {
		if f.ClockSkew, err = time.ParseDuration(text); err != nil {
			return errors.New("must be a duration such as 500ms or 2s")
		}
		return nil
	})
	flags.BoolFunc("term", "stamp the number of the term on what is written; needs Kubernetes 1.36", set(&f.Term))
	if err := flags.Parse(args); err != nil {
		return f, flags, err
	}
	if flags.NArg() > 0 {
		return f, flags, fmt.Errorf("argument %q: there are none beside flags; -help lists them", flags.Arg(0))
	}
	return f, flags, nil
}

// set is the value of a flag that needs none.
func set(to *bool) func(string) error {
	return func(text string) (err error) {
		if *to, err = strconv.ParseBool(text); err != nil {
			return errors.New("must be true or false")
		}
		return nil
	}
}
