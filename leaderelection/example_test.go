package leaderelection_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// Work that is told to stop, and a lease that is given up after it has.
func Example() {
	config, stop := inMemoryAPI()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock:            lockOf(config, "a"),
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(term context.Context) {
				fmt.Println("working")
				cancel() // as a signal would
				<-term.Done()
				fmt.Println("told to stop:", reasonOf(term))
			},
			OnStoppedLeading: func() { fmt.Println("the lease is released") },
		},
	})
	fmt.Println("held by:", holderOf(config))
	// Output:
	// working
	// told to stop: Released
	// the lease is released
	// held by: nobody
}

// RunOrDie contends for one term. Without ReleaseOnCancel the lease then runs
// out.
func ExampleRunOrDie() {
	config, stop := inMemoryAPI()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock:          lockOf(config, "a"),
		LeaseDuration: 15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { cancel() },
			OnStoppedLeading: func() { fmt.Println("stopped") },
		},
	})
	fmt.Println("held by:", holderOf(config))
	// Output:
	// stopped
	// held by: a
}

// Durations that cannot work together are refused by name.
func ExampleNewLeaderElector() {
	config, stop := inMemoryAPI()
	defer stop()

	_, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:          lockOf(config, "a"),
		LeaseDuration: 10 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   2 * time.Second,
		Callbacks:     quiet(func(context.Context) {}),
	})
	fmt.Println(err)
	// Output:
	// leader election "": LeaseDuration = 10s: must be greater than RenewDeadline = 10s, or a leader may hold on when another takes over
}

// A leader steps down, another takes its place, and the first goes on
// contending.
func ExampleLeaderElector_Resign() {
	config, stop := inMemoryAPI()
	defer stop()

	a, stopA := start(config, "a")
	defer stopA()
	untilLeading(a)
	b, stopB := start(config, "b")
	defer stopB()
	until(func() bool { return b.GetLeader() == "a" })

	if err := a.Resign(context.Background()); err != nil {
		fmt.Println(err)
	}
	untilLeading(b)
	fmt.Println("a's last term ended:", a.Term().Err() != nil)
	fmt.Println("held by:", holderOf(config))
	// Output:
	// a's last term ended: true
	// held by: b
}

// An elector that only looks on.
func ExampleLeaderElector_Observe() {
	config, stop := inMemoryAPI()
	defer stop()
	onlooker := elector(config, "onlooker")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	leaders := onlooker.Observe(ctx)
	fmt.Printf("at first %q\n", (<-leaders).Holder)
	a, stopA := start(config, "a")
	fmt.Printf("then %q\n", (<-leaders).Holder)
	untilLeading(a)
	stopA() // releases
	last, ok := <-leaders
	fmt.Printf("at last %q %t\n", last.Holder, ok)
	// Output:
	// at first ""
	// then "a"
	// at last "" true
}

// A fencing token goes with every request to a receiver that keeps the greatest
// one it has seen and refuses less. It grows from term to term, whoever leads.
func ExampleTerm_FencingToken() {
	config, stop := inMemoryAPI()
	defer stop()

	var receiver fence
	a, stopA := start(config, "a")
	untilLeading(a)
	late := a.Term().FencingToken()
	fmt.Println("first term:", receiver.accept(late))
	stopA()
	b, stopB := start(config, "b")
	defer stopB()
	untilLeading(b)
	fmt.Println("second term:", receiver.accept(b.Term().FencingToken()))
	fmt.Println("the first, late:", receiver.accept(late))
	// Output:
	// first term: true
	// second term: true
	// the first, late: false
}

// The term that work belongs to is in its context, and so is why it ended.
func ExampleTermFromContext() {
	config, stop := inMemoryAPI()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	work := func(ctx context.Context) {
		term, ok := leaderelection.TermFromContext(ctx)
		fmt.Println("holder:", term.Holder(), ok)
		cancel()
		<-ctx.Done()
		var ended *leaderelection.TermEndedError
		fmt.Println("ended:", errors.As(context.Cause(ctx), &ended) && ended.Reason == leaderelection.ReasonCancelled)
	}
	done := make(chan struct{})
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock:          lockOf(config, "a"),
		LeaseDuration: 15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   2 * time.Second,
		Callbacks: quiet(func(ctx context.Context) {
			defer close(done)
			work(ctx)
		}),
	})
	<-done
	// Output:
	// holder: a true
	// ended: true
}

// Clients made from a guarded configuration change nothing unless this elector
// leads; they may always read.
func ExampleLeaderElector_Guard() {
	config, stop := inMemoryAPI()
	defer stop()
	le := elector(config, "a") // it has not been run, so it does not lead

	client, err := kubernetes.NewForConfig(le.Guard(config))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	leases := client.CoordinationV1().Leases(namespace)
	_, err = leases.List(ctx, metav1.ListOptions{})
	fmt.Println("list:", err)
	err = leases.Delete(ctx, "other", metav1.DeleteOptions{})
	fmt.Println("delete refused:", errors.Is(err, leaderelection.ErrNotLeader))
	// Output:
	// list: <nil>
	// delete refused: true
}

// Work that must also write while it does not lead listens to its fence and is not
// guarded.
func ExampleFenceWrapper() {
	config, stop := inMemoryAPI()
	defer stop()
	le := elector(config, "a") // it has not been run, so it does not lead

	traffic := rest.CopyConfig(config)
	traffic.Wrap(leaderelection.FenceWrapper(func() *leaderelection.LeaderElector { return le }))
	client, err := kubernetes.NewForConfig(traffic)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = client.CoordinationV1().Leases(namespace).Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{})
	fmt.Println("create:", err)
	// Output:
	// create: <nil>
}

// A Trace is told what an elector does, as it does it.
func ExampleTrace() {
	config, stop := inMemoryAPI()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock:            lockOf(config, "a"),
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks:       quiet(func(context.Context) { cancel() }),
		Trace: &leaderelection.Trace{
			TermBegan: func(term *leaderelection.Term, how leaderelection.Succession) {
				fmt.Println("began:", term.Holder(), how)
			},
			TermEnded: func(term *leaderelection.Term, ended *leaderelection.TermEndedError) {
				fmt.Println("ended:", term.Holder(), ended.Reason)
			},
		},
	})
	// Output:
	// began: a new lease
	// ended: a Released
}

// What an elector knows at one moment.
func ExampleLeaderElector_Status() {
	config, stop := inMemoryAPI()
	defer stop()

	le, stopOne := start(config, "a")
	untilLeading(le)
	status := le.Status()
	fmt.Println("leading:", status.Leading, "holder:", status.Holder)
	fmt.Println("rest within T:", status.Rest > 0 && status.Rest <= 12*time.Second)
	stopOne()
	fmt.Println("leading:", le.Status().Leading)
	// Output:
	// leading: true holder: a
	// rest within T: true
	// leading: false
}

// What three durations bear.
func ExampleLeaderElectionConfig_Tolerance() {
	election := leaderelection.LeaderElectionConfig{
		LeaseDuration: 15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   2 * time.Second,
	}
	bears := election.Tolerance()
	fmt.Println("a term without renewal:", bears.Term)
	fmt.Println("an outage survived:", bears.Outage)
	fmt.Println("takeover within:", bears.Takeover)
	fmt.Println("work may take to stop:", bears.WorkStop)
	// Output:
	// a term without renewal: 12s
	// an outage survived: 8s
	// takeover within: 15s
	// work may take to stop: 3s
}

// A liveness check that fails when work has outlived its lease by 20 s: the
// kubelet then ends the process.
func ExampleNewLeaderHealthzAdaptor() {
	config, stop := inMemoryAPI()
	defer stop()

	alive := leaderelection.NewLeaderHealthzAdaptor(20 * time.Second)
	healthz := func(w http.ResponseWriter, r *http.Request) {
		if err := alive.Check(r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	probe := func() int {
		answer := httptest.NewRecorder()
		healthz(answer, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		return answer.Code
	}
	fmt.Println("before there is an elector:", probe())
	le, stopOne := start(config, "a")
	defer stopOne()
	alive.SetLeaderElection(le) // or LeaderElectionConfig.WatchDog
	untilLeading(le)
	fmt.Println("while leading:", probe())
	// Output:
	// before there is an elector: 200
	// while leading: 200
}

// A readiness check that fails while a leader's term is in doubt. Standbys
// pass, so that they can be rolled out.
func ExampleNewLeaderReadyzAdaptor() {
	config, stop := inMemoryAPI()
	defer stop()

	ready := leaderelection.NewLeaderReadyzAdaptor()
	a, stopA := start(config, "a")
	defer stopA()
	untilLeading(a)
	standby, stopB := start(config, "b")
	defer stopB()

	ready.SetLeaderElection(a) // or LeaderElectionConfig.Readiness
	fmt.Println("leader:", ready.Check(nil))
	ready.SetLeaderElection(standby)
	fmt.Println("standby:", ready.Check(nil))
	// Output:
	// leader: <nil>
	// standby: <nil>
}

// metrics says when an election of its name is won and ended; a real one sets a
// gauge.
type metrics struct{ name string }

func (m metrics) NewLeaderMetric() leaderelection.LeaderMetric { return m }

func (m metrics) On(name string) { m.say(name, "leads") }

func (m metrics) Off(name string) { m.say(name, "does not lead") }

func (m metrics) SlowpathExercised(name string) { m.say(name, "had to settle a renewal") }

func (m metrics) say(name, what string) {
	if name == m.name {
		fmt.Println(name, what)
	}
}

// A provider of metrics that was written for client-go works unchanged. It is
// set once, before any elector is made.
func ExampleSetProvider() {
	config, stop := inMemoryAPI()
	defer stop()
	leaderelection.SetProvider(metrics{"shop"})

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Name:            "shop",
		Lock:            lockOf(config, "a"),
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks:       quiet(func(context.Context) { cancel() }),
	})
	// Output:
	// shop does not lead
	// shop leads
	// shop does not lead
}

// A contender in a Coordinated election, which the API server decides, is
// announced by a LeaseCandidate beside its elector.
func ExampleNewCandidate() {
	clientset := fake.NewClientset() // kubernetes.NewForConfig(config)
	candidate, synced, err := leaderelection.NewCandidate(clientset, namespace, "pod-1", leaseName, "1.37.0", "1.37.0", coordinationv1.OldestEmulationVersion)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	var running sync.WaitGroup
	running.Go(func() { candidate.Run(ctx) })
	defer running.Wait()
	defer cancel()
	synced.WaitForCacheSync(ctx.Done())

	until(func() bool {
		_, err := clientset.CoordinationV1beta1().LeaseCandidates(namespace).Get(ctx, "pod-1", metav1.GetOptions{})
		return err == nil
	})
	fmt.Println("pod-1 stands for", leaseName)
	// Beside it runs an elector with Coordinated set and the identity pod-1.

	// Output: pod-1 stands for controller
}

func ExampleReasons() {
	lost := map[leaderelection.Reason]int{}
	for _, reason := range leaderelection.Reasons() {
		lost[reason] = 0 // there before it counts
	}
	lost[leaderelection.ReasonTaken]++
	fmt.Println(len(lost), lost[leaderelection.ReasonTaken], lost[leaderelection.ReasonInDoubt])
	// Output: 10 1 0
}

func ExampleDefaultWitnesses() {
	pods := fake.NewClientset().CoreV1() // kubernetes.NewForConfig(config) in a Pod
	config := leaderelection.LeaderElectionConfig{
		Witnesses: append(leaderelection.DefaultWitnesses(), &witness.Pod{Client: pods}),
	}
	last := config.Witnesses[len(config.Witnesses)-1]
	fmt.Println("also across nodes, by the word of the kubelet:", last.Name())
	// Output: also across nodes, by the word of the kubelet: pod
}
