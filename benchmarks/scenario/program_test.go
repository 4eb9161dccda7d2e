package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

func TestEachCopyOfAProgramIsToldItsKubeconfigAndItsName(t *testing.T) {
	p := Program{
		Path: "/bin/op", Args: []string{"--kubeconfig={kubeconfig}", "-id", "{identity}-{identity}", `{"a":{}}`},
		Env: []string{"POD_NAME={identity}"},
	}
	assert.Equal(t, lab.Command{
		Path: "/bin/op", Args: []string{"--kubeconfig=/k", "-id", "contender-2-contender-2", `{"a":{}}`},
		Env: []string{"KUBECONFIG=/k", "POD_NAME=contender-2"},
	}, p.command("contender-2", "/k"))
	assert.Equal(t, "--kubeconfig={kubeconfig}", p.Args[0], "the program itself is as it was")
}

func TestAPeerIsAProgramWhoseCopiesAreToldTheSame(t *testing.T) {
	o := contender.Options{Peer: "client-go", Namespace: "n", Lease: "l", Timing: Timing{LeaseDuration: time.Second, RenewDeadline: time.Second, RetryPeriod: time.Second}}
	p, err := peerProgram(o)
	require.NoError(t, err)
	parsed, err := contender.Parse(p.command("contender-1", "/k").Args, nil)
	require.NoError(t, err)
	o.Identity, o.Kubeconfig = "contender-1", "/k"
	assert.Equal(t, o, parsed)
}
