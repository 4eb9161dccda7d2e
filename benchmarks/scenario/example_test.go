package scenario_test

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
)

const (
	exampleLease = "upstream-example"
	// The durations that are written into upstream's example program.
	exampleDuration = 60 * time.Second
	exampleDeadline = 15 * time.Second
	exampleRetry    = 5 * time.Second

	exampleSlack = 5 * time.Second
)

// Upstream's own example program, with nothing changed but the two import
// paths. Its work never returns (select{}), so a leader that is told to stop
// must not release the lease: nothing guarantees that the work is over.
func TestUpstreamsExampleRunsWithOnlyItsImportPathsChanged(t *testing.T) {
	l, _ := laboratory(t)
	require.NoError(t, l.SetBackends(0, 1, 2))
	api, _, err := l.Observer(2)
	require.NoError(t, err)
	program := buildUpstreamExample(t)
	kubeconfig, err := l.Kubeconfig("example", lab.Masters)
	require.NoError(t, err)
	lease := func() coordinationv1.LeaseSpec {
		found, err := api.CoordinationV1().Leases(metav1.NamespaceDefault).Get(t.Context(), exampleLease, metav1.GetOptions{})
		if err != nil || found.Spec.HolderIdentity == nil || found.Spec.RenewTime == nil {
			return coordinationv1.LeaseSpec{HolderIdentity: new(string), RenewTime: new(metav1.MicroTime)}
		}
		return found.Spec
	}
	holder := func() string { return *lease().HolderIdentity }

	begin := func(id string) (*lab.Process, *labtest.Log) {
		host, err := l.NewHost("example-" + id)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, host.Close()) })
		var log labtest.Log
		process, err := host.Start(lab.Command{Path: program, Stdout: &log, Stderr: &log, Args: []string{
			"-kubeconfig", kubeconfig, "-lease-lock-name", exampleLease, "-lease-lock-namespace", metav1.NamespaceDefault, "-id", id,
		}})
		require.NoError(t, err)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("log of %s:\n%s", id, &log)
			}
		})
		return process, &log
	}
	first, firstLog := begin("one")
	require.Eventually(t, func() bool { return holder() == "one" }, exampleSlack, 50*time.Millisecond, "the first replica leads")
	_, secondLog := begin("two")
	led := lease().RenewTime.Time
	require.Eventually(t, func() bool { return lease().RenewTime.After(led) }, exampleRetry+exampleSlack, 50*time.Millisecond, "the first replica renews")
	require.Eventually(t, func() bool { return strings.Contains(secondLog.String(), "New leader elected") }, exampleSlack, 50*time.Millisecond, "the second replica stands by")

	told := time.Now()
	require.NoError(t, first.Signal(syscall.SIGTERM))
	select {
	case <-first.Done():
	case <-time.After(exampleDeadline + exampleSlack):
		require.Fail(t, "still running after SIGTERM", "bound: %v", exampleDeadline+exampleSlack)
	}
	t.Logf("figure: upstream's example exited %v after SIGTERM, having waited for work that never returns", time.Since(told).Round(time.Millisecond))
	assert.Zero(t, first.ExitCode())
	assert.Contains(t, firstLog.String(), "Leader lost", "OnStoppedLeading was called")
	assert.Equal(t, "one", holder(), "a lease whose work has not returned is not released")
	assert.Equal(t, int32(exampleDuration/time.Second), *lease().LeaseDurationSeconds)

	if !*long {
		t.Log("that the other replica leads when the lease of 60s has ended is checked with -long")
		return
	}
	end := lease().RenewTime.Add(exampleDuration)
	require.Eventually(t, func() bool { return holder() == "two" }, time.Until(end)+exampleSlack, 20*time.Millisecond, "the second replica leads once the lease has ended")
	took := time.Since(end)
	t.Logf("figure: upstream's example: the second replica led %v after the lease ended", took.Round(time.Millisecond))
	assert.Positive(t, took)
	assert.Less(t, took, 1500*time.Millisecond)
}

// buildUpstreamExample builds client-go's example of leader election against
// this library and returns the program's path.
func buildUpstreamExample(t *testing.T) string {
	t.Helper()
	const upstream, ours = "k8s.io/client-go/tools/leaderelection", "github.com/holdfast-go/holdfast/leaderelection"
	replaced := map[string]string{
		upstream:                   ours,
		upstream + "/resourcelock": "github.com/holdfast-go/holdfast/resourcelock",
	}
	clientGo := strings.TrimSpace(goTool(t, "list", "-m", "-f", "{{.Dir}}", "k8s.io/client-go"))
	source, err := os.ReadFile(filepath.Join(clientGo, "examples", "leader-election", "main.go"))
	require.NoError(t, err)
	text := string(source)
	for from, to := range replaced {
		require.Equal(t, 1, strings.Count(text, `"`+from+`"`), "import of %s", from)
		text = strings.Replace(text, `"`+from+`"`, `"`+to+`"`, 1)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "main.go")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	require.NoError(t, err)
	for _, i := range parsed.Imports {
		assert.NotContains(t, replaced, strings.Trim(i.Path.Value, `"`), "an import of upstream's is left")
	}
	program := filepath.Join(folder, "leader-election")
	goTool(t, "build", "-o", program, file)
	return program
}

// goTool runs the go command in this module, without the network, which the
// laboratory does not have.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false")
	var stderr labtest.Log
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, "go %s:\n%s", strings.Join(args, " "), &stderr)
	return string(out)
}
