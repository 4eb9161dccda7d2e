package starved

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// marker is the environment variable that turns a program that calls Main into one
// of the processes of a measurement; its value is a role's JSON.
const marker = "HOLDFAST_LAB_STARVED"

// role is what a process of a measurement does: it serves the API if Electors is
// zero, and contends otherwise.
type role struct {
	Kubeconfig string            `json:"kubeconfig"`
	Electors   int               `json:"electors"`
	Leases     int               `json:"leases"`
	Options    contender.Options `json:"options,omitzero"` // zero for one that serves
}

// line is what a process says: of an elector whose work begins or ends, or how many
// writes an API server has committed when it was asked.
type line struct {
	Time    time.Time `json:"time"`
	Lease   string    `json:"lease,omitempty"`
	Who     string    `json:"who,omitempty"`
	Leads   bool      `json:"leads,omitempty"`
	Ready   bool      `json:"ready,omitempty"`
	Commits int64     `json:"commits,omitempty"`
	Broken  string    `json:"broken,omitempty"`
}

// Main returns at once in a program that was started as itself. In a process of a
// measurement it does what its role says until its standard input ends, so that
// none outlives the measurement. Call it before contender.Main.
func Main() {
	spec := os.Getenv(marker)
	if spec == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := play(ctx, spec, os.Stdin, &speaker{out: json.NewEncoder(os.Stdout)})
	stop()
	klog.Flush()
	if err != nil {
		fmt.Fprintln(os.Stderr, "starved:", err)
		os.Exit(contender.ExitSetup)
	}
	os.Exit(contender.ExitOK)
}

// speaker writes lines, of many goroutines.
type speaker struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (s *speaker) say(l line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.Time = time.Now()
	if err := s.out.Encode(l); err != nil {
		os.Exit(contender.ExitSetup) // whoever measures has gone
	}
}

// play does what the role says. Each line that it reads asks an API server for its
// commits; the end of the input ends it.
func play(ctx context.Context, spec string, asked io.Reader, says *speaker) error {
	var r role
	if err := json.Unmarshal([]byte(spec), &r); err != nil {
		return fmt.Errorf("%s: %w", marker, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	commits := new(atomic.Int64)
	if r.Electors == 0 {
		endpoint, err := serve(r.Kubeconfig, commits)
		if err != nil {
			return err
		}
		defer endpoint.Close()
		says.say(line{Ready: true})
	} else {
		go contend(ctx, r, says)
	}
	for lines := bufio.NewScanner(asked); lines.Scan(); {
		says.say(line{Commits: commits.Load(), Ready: true})
	}
	return nil
}

// serve serves a Lease API on loopback and writes a kubeconfig that leads there.
func serve(kubeconfig string, commits *atomic.Int64) (*leaseapi.Endpoint, error) {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{OnCommit: func(leaseapi.Commit) { commits.Add(1) }}).Serve("api")
	if err != nil {
		return nil, err
	}
	config := endpoint.Config()
	const name = "starved"
	return endpoint, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: config.Host, CertificateAuthorityData: config.CAData, TLSServerName: config.ServerName}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, kubeconfig)
}

// contend runs the electors of a process until ctx ends, each for one of the leases
// in turn, and again when it has lost.
func contend(ctx context.Context, r role, says *speaker) {
	config, err := clientcmd.BuildConfigFromFlags("", r.Kubeconfig)
	if err != nil {
		says.say(line{Broken: err.Error()})
		return
	}
	for i := range r.Electors {
		o := r.Options
		o.Identity += "-" + strconv.Itoa(i)
		o.Lease += "-" + strconv.Itoa(i%r.Leases)
		go elect(ctx, o, config, says)
	}
	says.say(line{Ready: true})
}

func elect(ctx context.Context, o contender.Options, config *rest.Config, says *speaker) {
	for ctx.Err() == nil {
		worked := make(chan struct{}, 1)
		err := contender.Contend(ctx, o, config, func(work context.Context) {
			says.say(line{Lease: o.Lease, Who: o.Identity, Leads: true})
			<-work.Done()
			says.say(line{Lease: o.Lease, Who: o.Identity})
			worked <- struct{}{}
		}, func(string) {})
		if err != nil {
			says.say(line{Broken: err.Error()})
			return
		}
		select {
		case <-worked:
		case <-time.After(o.Timing.RetryPeriod): // it returned before its work had begun
		}
	}
}
