package lab

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestKilledServerRefusesAndServesAfterRestart(t *testing.T) {
	l := sharedLab(t)
	h := newHost(t, l, "killed")
	require.NoError(t, h.SetBackends(2))
	a := l.APIServers()[2]
	require.NoError(t, a.Kill())
	_, err := from(t, l, h).ask(t.Context(), 5*time.Second)
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	require.ErrorContains(t, a.Ready(t.Context()), "exited (signal: killed) before it was ready")

	begin := time.Now()
	require.NoError(t, a.Restart(t.Context()))
	t.Logf("figure: an API server restarted in %s", time.Since(begin).Round(time.Millisecond))
	server, err := from(t, l, h).ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
	assert.Equal(t, 2, server)
}

func TestEtcdKeepsItsDataOverARestart(t *testing.T) {
	l := sharedLab(t)
	observer, _, err := l.Observer(0)
	require.NoError(t, err)
	before, err := observer.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, l.Etcd().Restart(t.Context()))
	require.NoError(t, l.Mend(t.Context()))
	after, err := observer.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, before.UID, after.UID)
}

func TestObserverSeesPastTheCutOfOtherServers(t *testing.T) {
	l := sharedLab(t)
	require.NoError(t, l.APIServers()[0].Silence())
	require.NoError(t, l.SetBackends(0))
	observer, _, err := l.Observer(1)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = observer.CoordinationV1().Leases("kube-system").List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
}

func TestKubeconfigBearsUserAndGroups(t *testing.T) {
	l := sharedLab(t)
	h := newHost(t, l, "users")
	list := func(user string, groups ...string) error {
		path, err := l.Kubeconfig(user, groups...)
		require.NoError(t, err)
		config, err := clientcmd.BuildConfigFromFlags("", path)
		require.NoError(t, err)
		assert.Equal(t, "https://198.19.0.1:443", config.Host)
		config.Dial = h.Dial
		c, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		_, err = c.CoordinationV1().Leases("default").List(t.Context(), metav1.ListOptions{})
		return err
	}
	require.NoError(t, list("root", Masters))
	err := list("system:serviceaccount:default:nobody", "system:serviceaccounts")
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(t, err, `"system:serviceaccount:default:nobody"`)
	_, err = l.Kubeconfig("")
	require.ErrorContains(t, err, "the user's name is empty")
}

func TestProcessesLiveOnTheirHost(t *testing.T) {
	l := sharedLab(t)
	h := newHost(t, l, "home")
	start := func(mode string, out *bytes.Buffer) *Process {
		c := Command{Path: "/proc/self/exe", Env: []string{modeVariable + "=" + mode}}
		if out != nil {
			c.Stdout = out
		}
		p, err := h.Start(c)
		require.NoError(t, err)
		return p
	}

	var out bytes.Buffer
	p := start("hostname", &out)
	require.NoError(t, p.Wait())
	assert.Equal(t, "home", out.String(), "a process has its host's name")

	p = start("exit7", nil)
	require.ErrorContains(t, p.Wait(), "exit status 7")
	assert.Equal(t, 7, p.ExitCode())
	require.ErrorIs(t, p.Signal(os.Interrupt), os.ErrProcessDone)
	require.NoError(t, p.Kill(), "killing what has ended does nothing")

	p = start("block", nil)
	assert.Equal(t, -1, p.ExitCode())
	require.NoError(t, p.Freeze())
	assert.Contains(t, status(t, p), "State:\tT", "frozen means that it stands still on return")
	require.NoError(t, p.Thaw())
	require.NoError(t, p.Signal(unix.SIGTERM))
	require.ErrorContains(t, p.Wait(), "signal: terminated")

	p = start("block", nil)
	require.NoError(t, p.Freeze())
	require.NoError(t, p.Kill(), "a frozen process can be killed")

	_, err := h.Start(Command{Path: "/no/such/program"})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, `lab: start /no/such/program on host "home"`)
	_, err = h.Start(Command{})
	require.ErrorContains(t, err, "Command.Path is empty")
}

func status(t *testing.T, p *Process) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", pid(p), "status"))
	require.NoError(t, err)
	return string(b)
}

func TestClosingAHostEndsItsProcesses(t *testing.T) {
	l := sharedLab(t)
	h, err := l.NewHost("brief")
	require.NoError(t, err)
	p, err := h.Start(Command{Path: "/proc/self/exe", Env: []string{modeVariable + "=block"}})
	require.NoError(t, err)
	_, err = l.NewHost("brief")
	require.ErrorContains(t, err, "there is a host of that name")
	require.NoError(t, h.Close())
	require.NoError(t, h.Close(), "closing twice does nothing")
	select {
	case <-p.Done():
	default:
		t.Error("the process outlives its host")
	}
	_, err = h.Start(Command{Path: "/proc/self/exe"})
	require.ErrorContains(t, err, "the host is closed")
	again, err := l.NewHost("brief")
	require.NoError(t, err, "its name is free again")
	require.NoError(t, again.Close())
	for _, bad := range []string{"", "-a", "a-", "A", "a.b", "ä"} {
		_, err = l.NewHost(bad)
		assert.ErrorContains(t, err, "must be a DNS label", "%q", bad)
	}
}
