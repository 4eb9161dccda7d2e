package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

const soon, often = 20 * time.Second, 10 * time.Millisecond

// The durations of the profile fast, by which the tests elect.
const lease = 3 * time.Second

// stage is a Lease API, for commands that run as processes of their own.
type stage struct {
	t          *testing.T
	endpoint   *leaseapi.Endpoint
	kubeconfig string
	client     kubernetes.Interface

	mu       sync.Mutex
	renewed  time.Time // when the Lease was last written with a holder
	released func()    // called when it is released
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), released: func() {}}
	store := leaseapi.NewStore(leaseapi.Options{OnCommit: s.committed})
	var err error
	s.endpoint, err = store.Serve("api")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.endpoint.Close()) })
	relay := leaseapi.NewRelay(nil, s.endpoint) // only what comes through it can be silenced
	t.Cleanup(relay.Close)
	host, err := relay.Host("host")
	require.NoError(t, err)
	config := host.Config()
	require.NoError(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthorityData: config.CAData, TLSServerName: config.ServerName}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"c": {}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "c"}},
		CurrentContext: "c",
	}, s.kubeconfig))
	s.client, err = kubernetes.NewForConfig(s.endpoint.Config())
	require.NoError(t, err)
	return s
}

func (s *stage) committed(c leaseapi.Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch holder := c.Lease.Spec.HolderIdentity; {
	case holder != nil && *holder != "":
		s.renewed = c.Time
	default:
		s.released()
	}
}

// atRelease has f called when the Lease is released, before that is answered.
func (s *stage) atRelease(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = f
}

func (s *stage) lastRenewal() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewed
}

func (s *stage) lease() *coordinationv1.Lease {
	found, err := s.client.CoordinationV1().Leases("shop").Get(s.t.Context(), "carts", metav1.GetOptions{})
	require.NoError(s.t, err)
	return found
}

// elect is the command as a process.
type elect struct {
	t       *testing.T
	command *exec.Cmd
	ended   chan struct{}

	mu    sync.Mutex
	lines []string // of its output and that of its program
}

// elect starts the command with the Lease, further flags and a program.
func (s *stage) elect(args ...string) *elect { return s.electAs(asElect, args...) }

func (s *stage) electAs(as string, args ...string) *elect {
	command := exec.Command(os.Args[0], append([]string{"-kubeconfig=" + s.kubeconfig, "-lease=carts", "-namespace=shop", "-leader-elect-profile=fast", "-address=127.0.0.1:0"}, args...)...)
	command.Env = append(os.Environ(), mode+"="+as)
	if as == asFirst {
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			command.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
	}
	e := &elect{t: s.t, command: command, ended: make(chan struct{})}
	reader, writer, err := os.Pipe()
	require.NoError(s.t, err)
	command.Stdout, command.Stderr = writer, writer
	require.NoError(s.t, command.Start())
	require.NoError(s.t, writer.Close())
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			e.mu.Lock()
			e.lines = append(e.lines, lines.Text())
			e.mu.Unlock()
		}
	})
	go func() {
		defer close(e.ended)
		_ = command.Wait()
	}()
	s.t.Cleanup(func() {
		_ = command.Process.Kill()
		<-e.ended
		_ = reader.SetReadDeadline(time.Now().Add(time.Second)) // something of the program may still hold the other end
		reading.Wait()
		_ = reader.Close()
		if s.t.Failed() {
			s.t.Logf("output:\n%s", e.output())
		}
	})
	return e
}

func (e *elect) output() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.lines, "\n")
}

// says waits until a line matches and returns what the first group, if any, is.
func (e *elect) says(pattern string) string {
	e.t.Helper()
	found := e.saysOften(pattern, 1)[0]
	return found[len(found)-1]
}

// saysOften waits until so many lines match.
func (e *elect) saysOften(pattern string, times int) (found [][]string) {
	e.t.Helper()
	expression := regexp.MustCompile("(?m)" + pattern)
	require.Eventually(e.t, func() bool {
		found = expression.FindAllStringSubmatch(e.output(), -1)
		return len(found) >= times
	}, soon, often, "nothing says %s", pattern)
	return found
}

func (e *elect) signal(s syscall.Signal) {
	e.t.Helper()
	require.NoError(e.t, e.command.Process.Signal(s))
}

// receive waits for what is sent.
func receive[T any](t *testing.T, from <-chan T) (received T) {
	t.Helper()
	select {
	case received = <-from:
	case <-time.After(soon):
		require.Fail(t, "nothing was sent")
	}
	return received
}

// exits waits for the end and returns the exit code.
func (e *elect) exits() int {
	e.t.Helper()
	select {
	case <-e.ended:
	case <-time.After(soon):
		require.Fail(e.t, "the command goes on")
	}
	return e.command.ProcessState.ExitCode()
}

// get asks the command over HTTP.
func (e *elect) get(path string) (status int, body string) {
	e.t.Helper()
	address := e.says(`"Serving" address="([^"]+)"`)
	ctx, cancel := context.WithTimeout(e.t.Context(), soon)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	require.NoError(e.t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(e.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(e.t, err)
	return response.StatusCode, string(content)
}

func (e *elect) leader() (l leader) {
	_, body := e.get("/leader")
	require.NoError(e.t, json.Unmarshal([]byte(body), &l), body)
	return l
}

// script is a program for sh: the arguments after --.
func script(text string) []string { return []string{"--", "sh", "-c", text} }

// with joins flags and a program.
func with(flags []string, program []string) []string { return append(flags, program...) }

// lives reports whether a process runs; a dead one that is not reaped does not.
func lives(pid int) bool {
	line, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
	if err != nil {
		return false
	}
	p, err := parseStat(line)
	return err == nil && !p.dead
}
