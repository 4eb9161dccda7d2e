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
	assert.Equal(t, []time.Duration{15 * time.Second, 10 * time.Second, 2 * time.Second}, []time.Duration{o.leaseDuration, o.renewDeadline, o.retryPeriod})
	assert.Equal(t, dialer.UserTimeout, o.mode)
	assert.Equal(t, "kube-system/hosts-controller", o.target().Owner)
}

func TestWrongFlagsAreNamedWithTheirValue(t *testing.T) {
	for args, want := range map[string][]string{
		"-namespace=a.b":           {"-namespace", "a.b"},
		"-lease=UPPER":             {"-lease", "UPPER"},
		"-configmap=":              {"-configmap", `""`},
		"-key=a/b":                 {"-key", "a/b"},
		"-domain=.internal":        {"-domain", ".internal"},
		"-selector=":               {"-selector", "every Service"},
		"-selector=a==b==c":        {"-selector", "a==b==c"},
		"-health-address=8080":     {"-health-address", "8080"},
		"-mode=quick":              {"-mode", "quick", "fresh"},
		"-renew-deadline=20s":      {"-renew-deadline", "20s", "15s"},
		"-retry-period=10s":        {"-retry-period", "10s"},
		"-lease-duration=-1s":      {"-lease-duration", "-1s"},
		"-lease-duration=a":        {"-lease-duration", "a"},
		"serve":                    {"serve"},
		"-unknown":                 {"-unknown"},
		"-domain=a b.example.test": {"-domain", "a b"},
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
