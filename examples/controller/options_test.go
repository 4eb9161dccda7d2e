package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/dialer"
)

func TestNoFlagsAreTheDefaults(t *testing.T) {
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	election, err := o.election.Election()
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{15 * time.Second, 10 * time.Second, 2 * time.Second}, []time.Duration{election.LeaseDuration, election.RenewDeadline, election.RetryPeriod})
	assert.Equal(t, dialer.KeepConnections, o.election.Mode)
	assert.True(t, election.ReleaseOnCancel)
	assert.Equal(t, "kube-system/hosts-controller", o.target().Owner)
}

func TestWrongFlagsAreNamedWithTheirValue(t *testing.T) {
	for args, want := range map[string][]string{
		"-namespace=a.b":                       {"-namespace", "a.b"},
		"-configmap=":                          {"-configmap", `""`},
		"-key=a/b":                             {"-key", "a/b"},
		"-domain=.internal":                    {"-domain", ".internal"},
		"-selector=":                           {"-selector", "every Service"},
		"-selector=a==b==c":                    {"-selector", "a==b==c"},
		"-health-address=8080":                 {"-health-address", "8080"},
		"-leader-elect-resource-name=UPPER":    {"-leader-elect", "resourceName", "UPPER"},
		"-leader-elect-resource-namespace=a.b": {"-leader-elect", "resourceNamespace", "a.b"},
		"-leader-elect-mode=quick":             {"-leader-elect-mode", "quick", "new-connections"},
		"-leader-elect-profile=slow":           {"-leader-elect-profile", "slow", "calm"},
		"-leader-elect-renew-deadline=20s":     {"-leader-elect", "RenewDeadline", "20s", "15s"},
		"-leader-elect-retry-period=9s":        {"-leader-elect", "RetryPeriod", "10.8s"},
		"-leader-elect-lease-duration=-1s":     {"-leader-elect", "LeaseDuration", "-1s"},
		"-leader-elect-lease-duration=a":       {"-leader-elect-lease-duration", "a"},
		"serve":                                {"serve"},
		"-unknown":                             {"-unknown"},
		"-domain=a b.example.test":             {"-domain", "a b"},
	} {
		t.Run(args, func(t *testing.T) {
			_, err := parse([]string{args}, io.Discard)
			require.Error(t, err)
			for _, part := range want {
				assert.ErrorContains(t, err, part)
			}
		})
	}
}

func TestWhatIsWrongWithAnElectionThatIsNotAskedForIsNoError(t *testing.T) {
	o, err := parse([]string{"-leader-elect=false", "-leader-elect-resource-name="}, io.Discard)
	require.NoError(t, err)
	assert.False(t, o.election.LeaderElect)
}

func TestHelpAndReadmeListEveryFlag(t *testing.T) {
	var help bytes.Buffer
	_, err := parse([]string{"-help"}, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for line := range strings.Lines(help.String()) {
		if name, isFlag := strings.CutPrefix(line, "  -"); isFlag {
			name = strings.Fields(name)[0]
			assert.Contains(t, string(readme), "`-"+name+"`", "flag missing in README.md")
		}
	}
}
