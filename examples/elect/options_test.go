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
)

func TestACommandAndItsFlags(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "shop")
	o, err := parse([]string{"-lease=carts", "-grace=3s", "-pod-label=carts", "--", "serve", "-port", "80", "--", "x"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"serve", "-port", "80", "--", "x"}, o.command)
	assert.Equal(t, "shop/carts", o.lease())
	assert.Equal(t, 3*time.Second+releasing, o.election.StopTimeout.Duration)
	assert.True(t, o.election.ReleaseOnCancel)
	assert.Equal(t, []string{"", "carts"}, []string{o.labelKey, o.labelValue})

	o, err = parse([]string{"-lease=carts", "-namespace=other", "-again", "-pod-label=leads=carts"}, io.Discard)
	require.NoError(t, err)
	assert.Empty(t, o.command, "it leads and tells so")
	assert.Equal(t, "other/carts", o.lease())
	assert.True(t, o.again)
	assert.False(t, o.election.ContendAgain, "the program decides when")
	assert.Equal(t, []string{"leads", "carts"}, []string{o.labelKey, o.labelValue})
}

func TestWrongFlagsAreNamedWithTheirValue(t *testing.T) {
	for args, want := range map[string][]string{
		"":                                  {"-lease", `""`},
		"-lease=A":                          {"-lease", "A"},
		"-lease=a sh":                       {`"sh"`, "--"},
		"-lease=a -again sh --":             {`"sh"`, "--"},
		"-lease=a -namespace=a.b":           {"-namespace", "a.b"},
		"-lease=a -grace=-1s":               {"-grace", "-1s"},
		"-lease=a -address=80":              {"-address", "80"},
		"-lease=a -leader-elect=false":      {"-leader-elect=false"},
		"-lease=a -unknown":                 {"-unknown"},
		"-lease=a -leader-elect-mode=quick": {"-leader-elect-mode", "quick"},
		"-lease=a -grace=9s -leader-elect-stop-timeout=9s": {"-leader-elect-stop-timeout", "-grace", "9s"},
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		require.Error(t, err, args)
		for _, part := range want {
			assert.ErrorContains(t, err, part, args)
		}
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
			if strings.HasPrefix(name, "leader-elect") {
				continue // those are described with examples/controller
			}
			assert.Contains(t, string(readme), "`-"+name+"`", "flag missing in README.md")
		}
	}
}
