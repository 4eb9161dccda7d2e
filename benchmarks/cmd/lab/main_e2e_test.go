package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

func TestMain(m *testing.M) {
	contender.Main()
	lab.Enter()
	os.Exit(m.Run())
}

// operator returns a program that nobody here knows anything of: client-go's elector,
// with nothing but arguments.
func operator(t *testing.T) string {
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "my-operator")
	script := fmt.Sprintf("#!/bin/sh\nHOLDFAST_LAB_CONTENDER=1 exec %q \"$@\"\n", self)
	require.NoError(t, os.WriteFile(path, []byte(script), 0o755))
	return path
}

// The rights that client-go's elector needs, as a controller's manifests grant them.
const operatorRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: op}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: op}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: op}
subjects: [{kind: ServiceAccount, name: op, namespace: apps}]
`

func TestAnUnchangedProgramIsPlayedToBesidePeers(t *testing.T) {
	rights := filepath.Join(t.TempDir(), "rights.yaml")
	require.NoError(t, os.WriteFile(rights, []byte(operatorRights), 0o600))
	c, err := parse([]string{
		"-program", operator(t), "-lease", "apps/op", "-rights", rights, "-scenario", "handover",
		"-args", "-peer client-go -kubeconfig {kubeconfig} -identity op-{identity} -namespace apps -lease op",
		"-args", "-lease-duration 3s -renew-deadline 2s -retry-period 500ms",
	}, os.Stderr)
	require.NoError(t, err)
	var out bytes.Buffer
	err = run(t.Context(), &out, c)
	t.Logf("figure: the whole output:\n%s", &out)
	require.NoError(t, err)
	assert.Contains(t, out.String(), "my-operator has a lease of 3s and renews it every 500ms")
	for _, who := range []string{"my-operator", "client-go", "holdfast"} {
		assert.Regexp(t, fmt.Sprintf(`handover 1 of 1: %s: contender-1 led; without a leader for \S+ m?s; then contender-2 led; 0 leases lost`, who), out.String())
	}
	assert.Regexp(t, `next leader \| \S+ m?s \| - \| - \|`, out.String(), "the program does not release, as the peers do")
	assert.Regexp(t, `\| leases lost \| 0 in 1 run \| 0 in 1 run \| 0 in 1 run \|`, out.String())
	polls := regexp.MustCompile(`for the Lease \| (\S+) \| (\S+) \| (\S+) \|`).FindStringSubmatch(out.String())
	require.NotNil(t, polls)
	assert.NotEqual(t, "0.0", polls[1], "client-go's standby polls, as the program")
	assert.NotEqual(t, "0.0", polls[2], "client-go's standby polls, as the peer")
}

func TestAProgramThatCannotElectIsQuoted(t *testing.T) {
	c, err := parse([]string{
		"-program", operator(t), "-args", "-peer client-go -kubeconfig {kubeconfig} -identity {identity} -lease", "-lease", "apps/op", "-scenario", "kill",
	}, os.Stderr)
	require.NoError(t, err)
	var out bytes.Buffer
	err = run(t.Context(), &out, c)
	for _, says := range []string{
		"scenario kill with program my-operator", "contender-1 did not take the Lease apps/op", "has exited with code 2",
		"-identity {identity} -lease", "its output ends:\n\tflag needs an argument: -lease",
	} {
		assert.ErrorContains(t, err, says)
	}
}
