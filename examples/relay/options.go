package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"k8s.io/klog/v2"
)

// options are what the flags say.
type options struct {
	listen, address string
	to              []string
	// Of the dialer.
	connect, hedge, silence time.Duration
	limits                  limits
	connections             int
	drain                   time.Duration
}

// parse reads the flags. Its error is flag.ErrHelp if help was asked for and
// answered to usage, else it names the flag, its value and what it must be.
func parse(args []string, usage io.Writer) (options, error) {
	var o options
	var to string
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error, once
	flags.Usage = func() {}
	flags.StringVar(&o.listen, "listen", "127.0.0.1:6443", "`address` that the program connects to")
	flags.StringVar(&to, "to", serviceAddress(), "`addresses` of API servers, as in 10.96.0.1:443 or a:6443,b:6443; the kubelet's environment says the default")
	flags.DurationVar(&o.connect, "connect", 5*time.Second, "how long a connection may take to be made, siblings included")
	flags.DurationVar(&o.hedge, "hedge", 250*time.Millisecond, "how long a dial may go unanswered before it gets a sibling")
	flags.DurationVar(&o.silence, "silence", time.Second, "how long the server may leave what was sent unacknowledged")
	flags.DurationVar(&o.limits.answer, "answer", 0, "how long the server may say nothing after something was sent; 0: as long as it likes")
	flags.DurationVar(&o.limits.idle, "idle", 15*time.Minute, "how long a connection may carry nothing")
	flags.DurationVar(&o.limits.halfClosed, "half-closed", time.Minute, "how long a connection that one side has finished may carry nothing")
	flags.IntVar(&o.connections, "connections", 256, "how many connections there may be at once; further ones are reset")
	flags.DurationVar(&o.drain, "drain", 10*time.Second, "how long connections may go on after SIGTERM")
	flags.StringVar(&o.address, "address", ":8081", "`address` that /healthz and /metrics are served on; empty: not at all")
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(logging)
	flags.Var(logging.Lookup("v").Value, "v", "verbosity of the log; from 2 on each connection is logged")

	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(usage)
		fmt.Fprintln(usage, "relay passes TCP connections on to the API server over connections that die in time.")
		flags.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("argument %q: there are only flags; -help lists them", flags.Arg(0))
	}
	if to == "" {
		return o, errors.New(`-to="": must be the address of an API server, as in 10.96.0.1:443; outside of a Pod there is no default`)
	}
	o.to = strings.Split(to, ",")
	return o, o.validate()
}

func (o options) validate() error {
	for _, address := range append([]string{o.listen}, o.to...) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("-listen=%q, -to=%q: %w", o.listen, strings.Join(o.to, ","), err)
		}
	}
	if o.address != "" {
		if _, _, err := net.SplitHostPort(o.address); err != nil {
			return fmt.Errorf("-address=%q: %w", o.address, err)
		}
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		zero  bool
	}{
		{"connect", o.connect, false}, {"hedge", o.hedge, false}, {"silence", o.silence, false},
		{"idle", o.limits.idle, false}, {"half-closed", o.limits.halfClosed, false},
		{"answer", o.limits.answer, true}, {"drain", o.drain, true},
	} {
		if d.value < 0 || d.value == 0 && !d.zero {
			return fmt.Errorf("-%s=%v: must be positive", d.flag, d.value)
		}
	}
	if o.connections < 1 {
		return fmt.Errorf("-connections=%d: must be at least 1", o.connections)
	}
	return nil
}

// serviceAddress returns where the kubelet says the API server is, "" outside of a Pod.
func serviceAddress() string {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}
