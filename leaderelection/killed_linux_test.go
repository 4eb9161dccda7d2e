package leaderelection

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	upstream "k8s.io/client-go/tools/leaderelection"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// killedChild makes the test binary the process that is killed: it has its task, as
// JSON.
const killedChild = "HOLDFAST_TEST_KILLED_CHILD"

// task is what such a process does: it leads until it dies, by this package's elector
// or by client-go's.
type task struct {
	URL      string
	CA       []byte
	Identity string
	ClientGo bool
}

func (k task) run() {
	kubeconfig := &rest.Config{Host: k.URL, TLSClientConfig: rest.TLSClientConfig{CAData: k.CA}}
	lock, err := rl.NewFromKubeconfig(rl.LeasesResourceLock, "default", "killed", rl.ResourceLockConfig{Identity: k.Identity}, kubeconfig, 10*s)
	if err != nil {
		panic(err)
	}
	said := LeaderCallbacks{
		OnStartedLeading: func(ctx context.Context) { fmt.Println("leading"); <-ctx.Done() },
		OnStoppedLeading: func() {},
	}
	if k.ClientGo {
		upstream.RunOrDie(context.Background(), upstream.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 15 * s, RenewDeadline: 10 * s, RetryPeriod: 2 * s, Callbacks: said,
		})
		return
	}
	c := config(lock)
	c.Callbacks = said
	RunOrDie(context.Background(), c)
}

// start starts the process, and returns what ends it and waits until it has ended.
func (k task) start(t *testing.T, test string) (kill func()) {
	t.Helper()
	text, err := json.Marshal(k)
	require.NoError(t, err)
	child := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	child.Env = append(os.Environ(), killedChild+"="+string(text))
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	kill = func() { _ = child.Process.Kill(); _ = child.Wait() }
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "leading" {
			return kill
		}
	}
	kill()
	require.FailNow(t, "the process ended before it led")
	return nil
}

// TestAStandbyBesideAKilledLeaderDoesNotWaitForItsLease kills processes in the network
// namespace of the test. The lease is 15 s.
func TestAStandbyBesideAKilledLeaderDoesNotWaitForItsLease(t *testing.T) {
	if text := os.Getenv(killedChild); text != "" {
		var k task
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			panic(err)
		}
		k.run()
		return
	}
	for name, test := range map[string]struct {
		holder    task
		standby   string
		restarted bool // the standby starts after the death
		waits     bool // the lease decides
		witnesses []witness.Witness
	}{
		"a standby":                    {holder: task{Identity: "leader"}, standby: "standby"},
		"it is restarted in its place": {holder: task{Identity: "leader"}, standby: "leader", restarted: true},
		"client-go's elector has led":  {holder: task{Identity: "leader", ClientGo: true}, standby: "standby", waits: true},
		"the standby asks no witness":  {holder: task{Identity: "leader"}, standby: "standby", waits: true, witnesses: []witness.Witness{}},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("api")
			require.NoError(t, err)
			defer endpoint.Close()
			relay := leaseapi.NewRelay(nil, endpoint)
			defer relay.Close()
			host, err := relay.Host("one")
			require.NoError(t, err)
			defer host.Close()
			test.holder.URL, test.holder.CA = host.Config().Host, host.Config().CAData
			kill := test.holder.start(t, "TestAStandbyBesideAKilledLeaderDoesNotWaitForItsLease")
			defer kill()

			lock, err := rl.NewFromKubeconfig(rl.LeasesResourceLock, "default", "killed", rl.ResourceLockConfig{Identity: test.standby}, host.Config(), 10*s)
			require.NoError(t, err)
			leads, seen := make(chan Succession, 1), make(chan struct{}, 1)
			c := config(lock)
			c.Witnesses = test.witnesses
			c.Trace = &Trace{TermBegan: func(_ *Term, how Succession) { leads <- how }}
			c.Callbacks = LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) { <-ctx.Done() },
				OnStoppedLeading: func() {},
				OnNewLeader: func(string) {
					select {
					case seen <- struct{}{}:
					default:
					}
				},
			}
			le, err := NewLeaderElector(c)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			run := func() { go func() { defer close(ended); le.Run(ctx) }() }
			if test.restarted {
				kill()
			}
			run()
			defer func() { cancel(); <-ended }()
			<-seen
			died := time.Now()
			if !test.restarted {
				kill()
			}
			if test.waits {
				select {
				case how := <-leads:
					assert.Fail(t, "it leads though nothing is proven", how)
				case <-time.After(3 * s): // far longer than a proof takes
				}
				return
			}
			select {
			case how := <-leads:
				assert.Equal(t, SuccessionProof, how)
				t.Logf("led %v after the death was known here", time.Since(died))
			case <-time.After(10 * s): // less than what is left of the lease
				assert.Fail(t, "the standby waits for the lease")
			}
		})
	}
}
