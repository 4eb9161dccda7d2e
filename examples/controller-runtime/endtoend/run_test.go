package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/examples/controller-runtime/ways"
)

const narrator = "scenario"

// run is two replicas and what befalls the first.
type run struct {
	t     *testing.T
	stage *stage
	log   event.Log
	o     replicaOptions
	exits sync.WaitGroup
}

// replica is a process and its host.
type replica struct {
	name    string
	host    *lab.Host
	process *lab.Process
}

// newRun begins a run: alice leads, bob stands by, and both are connected to the
// victim. The test's end clears it up.
func newRun(t *testing.T, way ways.Way, stop time.Duration) (r *run, alice, bob *replica) {
	t.Helper()
	s := laboratory(t)
	s.runs++
	r = &run{t: t, stage: s, o: replicaOptions{
		way: way, lease: fmt.Sprintf("%s-%d", way, s.runs), kubeconfig: s.kubeconfig, stop: stop, objects: objects,
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		assert.NoError(t, s.mend(ctx))
	})
	r.observe()
	require.NoError(t, s.lab.SetBackends(victim))
	alice = r.start("alice")
	r.await(patience, "alice to lead", says("alice", event.Leading))
	bob = r.start("bob")
	r.await(patience, "bob to begin", says("bob", event.Started))
	// Of what bob has asked nothing is known but that a poll comes before three
	// renewals have.
	begun := time.Now()
	r.await(patience, "alice to renew", func(events []event.Event) bool {
		renewals := 0
		for _, e := range events {
			if e.What == event.Committed && e.Holder == "alice" && e.Time.After(begun) {
				renewals++
			}
		}
		return renewals >= 3
	})
	return r, alice, bob
}

// observe puts every write of the Lease into the log, until the test ends.
func (r *run) observe() {
	ctx, cancel := context.WithCancel(context.Background())
	leases := r.stage.observer.CoordinationV1().Leases(namespace)
	stream, err := leases.Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", r.o.lease).String()})
	require.NoError(r.t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range stream.ResultChan() {
			if lease, ok := e.Object.(*coordinationv1.Lease); ok {
				r.log.Append(write(lease))
			}
		}
		if ctx.Err() == nil {
			r.log.Append(event.Event{Who: "observer", What: event.Unreadable, Reason: "the watch has ended"}) // Measure refuses it
		}
	}()
	r.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// write returns the event of a write. A holder's identity begins with the name
// of its host.
func write(lease *coordinationv1.Lease) event.Event {
	e := event.Event{Who: "observer", What: event.Released}
	if lease.Spec.RenewTime != nil {
		e.RenewTime = lease.Spec.RenewTime.Time
	}
	if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil {
		e.Lease = time.Duration(*seconds) * time.Second
	}
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		e.What = event.Committed
		e.Holder, _, _ = strings.Cut(*holder, "_")
	}
	return e
}

// start starts a replica on a host of its own.
func (r *run) start(name string) *replica {
	r.t.Helper()
	host, err := r.stage.lab.NewHost(name)
	require.NoError(r.t, err)
	r.t.Cleanup(func() {
		assert.NoError(r.t, host.Close())
		r.exits.Wait()
	})
	o := r.o
	o.name = name
	self, err := os.Executable()
	require.NoError(r.t, err)
	p := &replica{name: name, host: host}
	p.process, err = host.Start(lab.Command{Path: self, Args: o.args(), Env: []string{marker + "=1"}, Stdout: r.log.Lines(name)})
	require.NoError(r.t, err)
	r.exits.Go(func() {
		<-p.process.Done()
		code := p.process.ExitCode()
		r.log.Append(event.Event{Who: name, What: event.Exited, Code: &code})
	})
	r.t.Cleanup(func() {
		if text, err := os.ReadFile(host.LogPath()); r.t.Failed() && err == nil {
			r.t.Logf("log of %s:\n%s", name, text)
		}
	})
	return p
}

// ready asks the replica's readiness probe, which passes when its cache is warm.
func (p *replica) ready(ctx context.Context) bool {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DialContext: p.host.Dial, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+probes+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// nodeDeath cuts alice's host and the victim off together; the virtual IP drops
// the victim at once.
func (r *run) nodeDeath(alice *replica) {
	r.t.Helper()
	at := time.Now()
	for _, on := range []string{alice.name, "api"} {
		r.log.Append(event.Event{Time: at, Who: narrator, What: event.Fault, On: on, Reason: "host is silent"})
	}
	require.NoError(r.t, alice.host.Cut())
	require.NoError(r.t, r.stage.lab.APIServers()[victim].Silence())
	require.NoError(r.t, r.stage.lab.SetBackends(1, observed))
}

// terminate tells alice to stop.
func (r *run) terminate(alice *replica) {
	r.t.Helper()
	r.log.Append(event.Event{Who: narrator, What: event.Fault, On: alice.name, Reason: "SIGTERM"})
	require.NoError(r.t, alice.process.Signal(syscall.SIGTERM))
}

// figures waits until bob reconciles and alice's work has ended, and measures.
func (r *run) figures(within time.Duration) scenario.Figures {
	r.t.Helper()
	r.await(within, "bob to reconcile", says("bob", event.Leading))
	r.await(patience, "the work of alice to end", func(events []event.Event) bool {
		return says("alice", event.Stopped)(events) || says("alice", event.Exited)(events)
	})
	r.log.Append(event.Event{Who: narrator, What: event.Ended})
	f, err := scenario.Measure(r.log.Events(), scenario.Short.RetryPeriod)
	require.NoError(r.t, err)
	assert.Equal(r.t, "alice", f.Leader)
	assert.Equal(r.t, "bob", f.Successor)
	return f
}

func (r *run) await(within time.Duration, what string, cond func([]event.Event) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), within)
	defer cancel()
	require.NoError(r.t, r.log.Await(ctx, what, cond))
}

func says(who string, what event.What) func([]event.Event) bool {
	return func(events []event.Event) bool {
		for _, e := range events {
			if e.Who == who && e.What == what {
				return true
			}
		}
		return false
	}
}
