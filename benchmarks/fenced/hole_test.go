package fenced

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// lateWrites is how many writes of each kind a deposed leader sends.
const lateWrites = 50

// The three kinds of write that a lease cannot prevent, sent by a holder that has
// been deposed since, through three API servers: without a fence all of them are
// executed, with it none. One of the servers is of the oldest minor version, as while a
// control plane is upgraded.
func TestTheHole(t *testing.T) {
	minors := lab.Minors()
	s := newStage(t, "", minors[len(minors)-1], "")
	for i := range lateWrites {
		it := configMap(fmt.Sprintf("it-%d", i))
		it.Data = map[string]string{"n": ""} // an object that was created empty has no time that expiry could go by
		_, err := s.admin[0].CoreV1().ConfigMaps(namespace).Create(t.Context(), it, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	kinds := map[string]func(*testing.T) []error{
		"a process that was stopped between its check and its write": s.stopped,
		"requests that were held back on their way":                  s.heldBack,
		"work that ignores its context":                              s.heedless,
	}
	for name, late := range kinds {
		errs := late(t)
		require.Len(t, errs, lateWrites)
		for _, err := range errs {
			require.NoError(t, err, "%s, without a fence", name)
		}
		t.Logf("figure: fence: without one, %d of %d writes were executed of %s", lateWrites, lateWrites, name)
	}
	s.holds(t, s.pods[0].identity, 0)
	s.install(t, s.fence(t, "configmaps"))
	for name, late := range kinds {
		errs := late(t)
		require.Len(t, errs, lateWrites)
		for _, err := range errs {
			require.True(t, fence.Refused(err, s.lease), "%s, with a fence: %v", name, err)
		}
		t.Logf("figure: fence: with one, 0 of %d writes were executed of %s", lateWrites, name)
	}
}

// depose has the other Pod take over, and waits until the API server goes by that,
// if there is a fence.
func (s *stage) depose(t *testing.T) {
	t.Helper()
	s.holds(t, s.pods[1].identity, 0)
	time.Sleep(time.Second) // twenty times what an idle API server takes
}

func patch(ctx context.Context, client kubernetes.Interface, i int) error {
	_, err := client.CoreV1().ConfigMaps(namespace).Patch(ctx, fmt.Sprintf("it-%d", i), types.MergePatchType,
		fmt.Appendf(nil, `{"data":{"n":"%d"}}`, time.Now().UnixNano()), metav1.PatchOptions{})
	return err
}

// heedless writes after the takeover.
func (s *stage) heedless(t *testing.T) (errs []error) {
	s.holds(t, s.pods[0].identity, 0)
	s.depose(t)
	for i := range lateWrites {
		errs = append(errs, patch(t.Context(), s.pods[0].clients[i%len(s.admin)], i))
	}
	return errs
}

// heldBack writes before the takeover through a connection that passes nothing on
// until after it.
func (s *stage) heldBack(t *testing.T) []error {
	s.holds(t, s.pods[0].identity, 0)
	var way held
	var clients []kubernetes.Interface
	for _, config := range s.pods[0].configs {
		config = rest.CopyConfig(config)
		config.Dial = way.dial
		client, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		// Each API server learns by itself, a moment later, that this Pod holds the lease again.
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			assert.NoError(c, patch(t.Context(), client, 0), "the connection stands")
		}, 10*time.Second, 50*time.Millisecond)
		clients = append(clients, client)
	}
	way.Lock()
	errs := make([]error, lateWrites)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = patch(t.Context(), clients[i%len(clients)], i) })
	}
	s.depose(t)
	way.Unlock()
	all.Wait()
	return errs
}

// held passes nothing on while it is locked.
type held struct{ sync.RWMutex }

func (h *held) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &heldConn{conn, h}, err
}

type heldConn struct {
	net.Conn
	way *held
}

func (c *heldConn) Write(p []byte) (int, error) {
	c.way.RLock()
	defer c.way.RUnlock()
	return c.Conn.Write(p)
}

// stopped has processes check that they hold the lease, stop, and write when they
// go on, which is after the lease has run out and another has taken it.
func (s *stage) stopped(t *testing.T) (errs []error) {
	const processes = 10
	var writers [processes]*stoppingWriter
	for i := range writers {
		writers[i] = s.newStoppingWriter(t, i%len(s.admin))
	}
	for round := range lateWrites / processes {
		s.holds(t, s.pods[0].identity, leaseFor-time.Second)
		for i, w := range writers {
			w.begin(t, processes*round+i)
		}
		for _, w := range writers {
			w.awaitStop(t)
		}
		s.depose(t)
		for _, w := range writers {
			errs = append(errs, w.goOn(t))
		}
	}
	return errs
}

// order is what a process of a stopping writer is told.
type order struct {
	Host, Token string
	CA          []byte
	Identity    string
}

// orderVariable carries the order.
const orderVariable = "FENCED_WRITER"

// stoppingWriter is a process that stops itself between its check and its write.
type stoppingWriter struct {
	process *os.Process
	to      io.WriteCloser
	from    *bufio.Scanner
}

func (s *stage) newStoppingWriter(t *testing.T, server int) *stoppingWriter {
	config := s.pods[0].configs[server]
	text, err := json.Marshal(order{Host: config.Host, Token: config.BearerToken, CA: config.CAData, Identity: s.pods[0].identity})
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), orderVariable+"="+string(text)), os.Stderr
	to, err := cmd.StdinPipe()
	require.NoError(t, err)
	from, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = to.Close() // its loop ends with it
		_ = cmd.Process.Signal(syscall.SIGCONT)
		assert.NoError(t, cmd.Wait())
	})
	return &stoppingWriter{cmd.Process, to, bufio.NewScanner(from)}
}

func (w *stoppingWriter) begin(t *testing.T, i int) {
	_, err := fmt.Fprintln(w.to, i)
	require.NoError(t, err)
}

// awaitStop waits until the process is stopped: its state is the first word after
// its name (proc(5)).
func (w *stoppingWriter) awaitStop(t *testing.T) {
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.process.Pid))
		_, after, found := strings.Cut(string(stat), ") ")
		return err == nil && found && strings.HasPrefix(after, "T")
	}, 30*time.Second, 5*time.Millisecond, "it does not stop: does it hold the lease?")
}

// goOn has the process write, and returns the error that it met.
func (w *stoppingWriter) goOn(t *testing.T) error {
	require.NoError(t, w.process.Signal(syscall.SIGCONT))
	require.True(t, w.from.Scan(), "it has ended")
	if said := w.from.Text(); said != "" {
		return statusOf(t, said)
	}
	return nil
}

// statusOf returns the error that a process has printed.
func statusOf(t *testing.T, said string) error {
	var err printed
	require.NoError(t, json.Unmarshal([]byte(said), &err), said)
	return &err
}

// printed is an API error on its way from one process to another.
type printed struct{ S metav1.Status }

func (p *printed) Error() string         { return p.S.Message }
func (p *printed) Status() metav1.Status { return p.S }

// writeOnOrder is the whole of such a process: for each line that it reads it
// checks, stops and writes, and prints what became of that.
func writeOnOrder(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(&rest.Config{Host: o.Host, BearerToken: o.Token, TLSClientConfig: rest.TLSClientConfig{CAData: o.CA}})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var i int
		if _, err := fmt.Sscan(lines.Text(), &i); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, "controller", metav1.GetOptions{})
		if err == nil && ptr.Deref(lease.Spec.HolderIdentity, "") != o.Identity {
			err = fmt.Errorf("the lease is held by %v", ptr.Deref(lease.Spec.HolderIdentity, ""))
		}
		if err == nil {
			err = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			time.Sleep(100 * time.Millisecond) // another thread may get the signal, and this one runs until all are stopped
		}
		if err != nil {
			cancel()
			return err
		}
		err = patch(ctx, client, i)
		cancel()
		said := ""
		if status, ok := err.(interface{ Status() metav1.Status }); ok {
			text, err := json.Marshal(printed{status.Status()})
			if err != nil {
				return err
			}
			said = string(text)
		} else if err != nil {
			return err
		}
		if _, err := fmt.Println(said); err != nil {
			return err
		}
	}
	return lines.Err()
}
