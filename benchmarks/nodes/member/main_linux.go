// Command member is the program in the Pods of package nodes: it contends for a lease,
// and while it leads it writes the time into a file of its own, again and again, as a
// work that must not be done twice at once.
//
// Its peer is who contends: "pod" is this library with the witnesses Process and Pod,
// "process" the same with its defaults, "none" without witnesses, "successor" with a
// Pod named at each release (package podsuccessor), "label" is "pod" with a label on the
// leader's Pod (package podlabel), "client-go" the elector of client-go.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clientgo "k8s.io/client-go/tools/leaderelection"
	clientgolock "k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
	"github.com/holdfast-go/holdfast/leaderelection/podsuccessor"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// workEvery is the pause between two pieces of work.
const workEvery = 2 * time.Millisecond

type options struct {
	peer, folder, namespace, lease string
	duration, deadline, period     time.Duration
	deaf                           bool
	eat, selector, label, serve    string
}

func main() {
	var o options
	flag.StringVar(&o.peer, "peer", "pod", "who contends: pod, process, none, successor, label or client-go")
	flag.StringVar(&o.folder, "folder", "", "folder of the file that the work is written into")
	flag.StringVar(&o.namespace, "namespace", "default", "namespace of the Lease")
	flag.StringVar(&o.lease, "lease", "", "name of the Lease")
	flag.DurationVar(&o.duration, "lease-duration", 15*time.Second, "LeaseDuration of the elector")
	flag.DurationVar(&o.deadline, "renew-deadline", 10*time.Second, "RenewDeadline of the elector")
	flag.DurationVar(&o.period, "retry-period", 2*time.Second, "RetryPeriod of the elector")
	flag.BoolVar(&o.deaf, "deaf", false, "ignore SIGTERM")
	flag.StringVar(&o.eat, "eat", "", "file whose appearance makes the leader use memory without end")
	flag.StringVar(&o.selector, "selector", "", "labels of the Pods that a successor is chosen from")
	flag.StringVar(&o.label, "label", "", "value of the label that the Pod bears while it leads, with the peer label")
	flag.StringVar(&o.serve, "serve", "", "address to answer at with the own name, while leading; empty: nowhere")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "member:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	name := os.Getenv("POD_NAME") + "_" + os.Getenv("CONTAINER") + "-" + rand.Text()[:8] // new with every process, as everybody's
	file, err := os.OpenFile(filepath.Join(o.folder, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	d := &diary{file: file}
	began, err := processStart()
	if err != nil {
		return err
	}
	d.write("started", began)

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		for range signals {
			if !o.deaf {
				stop()
			}
		}
	}()
	if o.eat != "" {
		go eat(o.eat, name)
	}
	if o.serve != "" {
		listener, err := net.Listen("tcp", o.serve)
		if err != nil {
			return err
		}
		go func() { _ = (&http.Server{Handler: d, ReadHeaderTimeout: time.Second}).Serve(listener) }()
	}
	var work sync.WaitGroup
	lead := func(term context.Context) {
		work.Add(1)
		defer work.Done()
		d.work(term)
	}
	if o.peer == "client-go" {
		err = contendClientGo(ctx, o, config, name, lead)
	} else {
		err = contend(ctx, o, config, name, lead)
	}
	work.Wait()
	return err
}

// diary is the file of one process: lines of a word and a time (Unix, ns).
type diary struct {
	file    *os.File
	leading atomic.Bool
}

// ServeHTTP answers with a name while the process leads.
func (d *diary) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if !d.leading.Load() {
		http.Error(w, "not the leader", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, filepath.Base(d.file.Name()))
}

func (d *diary) write(what string, when time.Time) {
	if _, err := fmt.Fprintf(d.file, "%s %d\n", what, when.UnixNano()); err != nil {
		fmt.Fprintln(os.Stderr, "member:", err) // nobody would know that it works
		os.Exit(1)
	}
}

// work works until its term ends.
func (d *diary) work(term context.Context) {
	d.write("leading", time.Now())
	d.leading.Store(true)
	defer d.leading.Store(false)
	context.AfterFunc(term, func() { d.leading.Store(false) })
	tick := time.NewTicker(workEvery)
	defer tick.Stop()
	for term.Err() == nil {
		d.write("work", time.Now())
		select {
		case <-term.Done():
		case <-tick.C:
		}
	}
	d.write("stopped", time.Now())
}

func contend(ctx context.Context, o options, config *rest.Config, name string, lead func(context.Context)) error {
	lock, err := resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.namespace, o.lease,
		resourcelock.ResourceLockConfig{Identity: name}, config,
		resourcelock.Options{LeaseDuration: o.duration, RenewDeadline: o.deadline, RetryPeriod: o.period})
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var witnesses []witness.Witness
	var successor func(context.Context) (string, error)
	switch o.peer {
	case "pod", "label":
		witnesses = append(leaderelection.DefaultWitnesses(), &witness.Pod{Client: client.CoreV1()})
	case "process":
		witnesses = nil // the default
	case "none":
		witnesses = []witness.Witness{}
	case "successor":
		if successor, err = podsuccessor.New(podsuccessor.Config{
			Pods: client.CoreV1().Pods(o.namespace), Pod: os.Getenv("POD_NAME"), Selector: o.selector,
		}); err != nil {
			return err
		}
	default:
		return fmt.Errorf("-peer %q: must be pod, process, none, successor, label or client-go", o.peer)
	}
	if o.label != "" {
		label, err := podlabel.New(podlabel.Config{
			Pods: client.CoreV1().Pods(o.namespace), Pod: os.Getenv("POD_NAME"), UID: types.UID(os.Getenv("POD_UID")), Value: o.label,
		})
		if err != nil {
			return err
		}
		if err := label.Drop(ctx); err != nil {
			return err
		}
		lead = label.Around(lead)
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: o.duration, RenewDeadline: o.deadline, RetryPeriod: o.period,
		ReleaseOnCancel: true, Name: o.lease, Witnesses: witnesses, Successor: successor,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: lead, OnStoppedLeading: func() {}},
	})
	if err != nil {
		return err
	}
	elector.Run(klog.NewContext(ctx, klog.Background()))
	return nil
}

func contendClientGo(ctx context.Context, o options, config *rest.Config, name string, lead func(context.Context)) error {
	lock, err := clientgolock.NewFromKubeconfig(clientgolock.LeasesResourceLock, o.namespace, o.lease,
		clientgolock.ResourceLockConfig{Identity: name}, config, o.deadline)
	if err != nil {
		return err
	}
	elector, err := clientgo.NewLeaderElector(clientgo.LeaderElectionConfig{
		Lock: lock, LeaseDuration: o.duration, RenewDeadline: o.deadline, RetryPeriod: o.period,
		ReleaseOnCancel: true, Name: o.lease,
		Callbacks: clientgo.LeaderCallbacks{OnStartedLeading: lead, OnStoppedLeading: func() {}},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	return nil
}

// processStart is when the kernel made this process, to a hundredth of a second.
func processStart() (time.Time, error) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return time.Time{}, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const startTime, ticks = 19, 100 // starttime is field 22, and the first here is 3
	if len(fields) <= startTime {
		return time.Time{}, fmt.Errorf("/proc/self/stat has %d fields", len(fields))
	}
	since, err := strconv.ParseInt(fields[startTime], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, err
	}
	age := time.Duration(up.Nano()) - time.Duration(since)*time.Second/ticks
	return time.Now().Add(-age), nil
}

// eat uses memory without end once the file is there and names this process.
func eat(file, name string) {
	for {
		if text, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(text)) == name {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for eaten := [][]byte{}; ; {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		eaten = append(eaten, b)
	}
}
