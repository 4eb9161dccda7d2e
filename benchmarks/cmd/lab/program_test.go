package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// anyProgram is the path of a file that can be run.
func anyProgram(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "my-operator")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
	return path
}

func TestFlagsSayWhichProgramContends(t *testing.T) {
	path := anyProgram(t)
	c, err := parse([]string{
		"-program", path, "-args", "--leader-elect  --kubeconfig={kubeconfig}", "-args", "-v=2", "-lease", "kube-system/op",
		"-scenario", "node-death,kill", "-n", "5", "--", "--name", "two words",
	}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, &scenario.Program{
		Name: "my-operator", Path: path, Args: []string{"--leader-elect", "--kubeconfig={kubeconfig}", "-v=2", "--name", "two words"},
		Namespace: "kube-system", Lease: "op",
	}, c.options.Program)
	assert.Equal(t, []string{"client-go", "holdfast"}, c.beside)
	assert.Zero(t, c.options.Timing, "it is read from the Lease")
	require.Len(t, c.scenarios, 2)
	assert.Equal(t, "node-death", c.scenarios[0].Name)

	c, err = parse([]string{"-program", path, "-lease", "a/b", "-scenario", "all", "-beside", "", "-timing", "15s/10s/2s"}, io.Discard)
	require.NoError(t, err)
	assert.Empty(t, c.beside)
	assert.Len(t, c.scenarios, len(scenario.All()))
	assert.Equal(t, scenario.Long, c.options.Timing)
}

func TestWhatIsWrongWithAProgramIsSaidWithWhatWouldBeRight(t *testing.T) {
	path := anyProgram(t)
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o644))
	labtest.BadFlags(t, parse, map[string]string{
		"-program ./none -lease a/b -scenario kill":                      `-program "./none": it must be a program that can be run`,
		"-program " + plain + " -lease a/b -scenario kill":               "permission denied",
		"-program " + path + " -scenario kill":                           `-lease "": must be NAMESPACE/NAME of the Lease that my-operator elects through`,
		"-program " + path + " -lease op -scenario kill":                 `-lease "op"`,
		"-program " + path + " -lease a/b/c -scenario kill":              `-lease "a/b/c"`,
		"-program " + path + " -lease a/ -scenario kill":                 `-lease "a/"`,
		"-program " + path + " -lease a/b -scenario kill,flood":          `"flood"`,
		"-program " + path + " -lease a/b":                               "-scenario is empty: it must be one of those of -list",
		"-program " + path + " -lease a/b -scenario kill -n 0":           "-n",
		"-program " + path + " -lease a/b -scenario kill -peer etcd":     "-peer: it does not go with -program",
		"-program " + path + " -lease a/b -scenario kill -beside etcd":   `"etcd" must be of [client-go`,
		"-program " + path + " -lease a/b -scenario kill -rights ./none": "-rights",
	})
}

func TestHelpSaysWhatAProgramIsGiven(t *testing.T) {
	var usage bytes.Buffer
	_, err := parse([]string{"-h"}, &usage)
	require.Error(t, err)
	for _, says := range []string{"KUBECONFIG", scenario.KubeconfigPlaceholder, scenario.IdentityPlaceholder, "NAMESPACE/NAME", "-rights"} {
		assert.Contains(t, usage.String(), says)
	}
}

func TestTheTableSetsAProgramBesideThePeers(t *testing.T) {
	s, err := scenario.Find("node-death")
	require.NoError(t, err)
	run := func(leaderless, takeover time.Duration) scenario.Figures {
		return scenario.Figures{
			Leader: "contender-1", Successor: "contender-2", Leaderless: leaderless, Takeover: scenario.Figure{Value: takeover, Known: true},
			Standby: scenario.Asked{Lease: 10, Other: 1, Over: 30 * time.Second},
		}
	}
	never := scenario.Figures{Leader: "contender-1", Leaderless: 2 * time.Minute, LeaderlessAtEnd: true, Lost: 1}
	var out bytes.Buffer
	require.NoError(t, table{scenario: s, columns: []column{
		{name: "op", runs: []scenario.Figures{run(45123*time.Millisecond, 32*time.Second), run(60*time.Second, 48*time.Second), run(47*time.Second, 33*time.Second)}},
		{name: "client-go", runs: []scenario.Figures{never}},
		{name: "holdfast", refused: errors.New("LeaseDuration 100ms: must be at least 500ms")},
	}}.print(&out))
	for _, line := range []string{
		"| median / max | op | client-go | holdfast |",
		"| time without a leader | 47.0 s / 60.0 s | 120.0 s, and longer in 1 of 1 run | - |",
		"| from the end of the lease to the next leader | 33.0 s / 48.0 s | - | - |",
		"| leases lost | 0 in 3 runs | 1 in 1 run | - |",
		"| requests a minute of the standby: for the Lease | 20.0 | - | - |",
		"| for anything else | 2.0 | - | - |",
		"holdfast cannot contend with this timing: LeaseDuration 100ms: must be at least 500ms",
	} {
		assert.Contains(t, out.String(), line+"\n")
	}
	assert.Equal(t, "contender-1 led; without a leader for 45.1 s; then contender-2 led; 0 leases lost", inWords(run(45123*time.Millisecond, 0)))
	assert.Equal(t, "contender-1 led; without a leader for 120.0 s; and nobody at the end; 1 lease lost", inWords(never))
}

func TestThePeersContendWithTheTimingThatWasRead(t *testing.T) {
	kill, err := scenario.Find("kill")
	require.NoError(t, err)
	c := command{scenarios: []scenario.Scenario{kill}, n: 2, beside: []string{"client-go", "holdfast"}, options: scenario.Options{Program: &scenario.Program{Name: "op"}}}
	read := scenario.Timing{LeaseDuration: 1500 * time.Millisecond, RenewDeadline: time.Second, RetryPeriod: 200 * time.Millisecond}
	var played []string
	var out bytes.Buffer
	require.NoError(t, playProgram(&out, c, func(_ scenario.Scenario, o scenario.Options) (scenario.Result, error) {
		if o.Program != nil {
			played = append(played, o.Program.Name)
			assert.Zero(t, o.Timing)
		} else {
			played = append(played, o.Peer)
			assert.True(t, o.Outside)
			assert.Equal(t, read, o.Timing)
		}
		return scenario.Result{Timing: read}, nil
	}))
	assert.Equal(t, []string{"op", "holdfast", "op", "holdfast"}, played)
	assert.Contains(t, out.String(), "client-go cannot contend with this timing: LeaseDuration 1.5s")

	broken := errors.New("did not take the Lease")
	err = playProgram(&out, c, func(scenario.Scenario, scenario.Options) (scenario.Result, error) { return scenario.Result{}, broken })
	assert.ErrorIs(t, err, broken)
}
