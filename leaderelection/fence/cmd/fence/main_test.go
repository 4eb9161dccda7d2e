package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

func TestTheFlagsMakeTheFence(t *testing.T) {
	var out, log bytes.Buffer
	require.Zero(t, run(strings.Fields("-lease kube-system/it -serviceaccount other/account -resource pods -resource deployments.apps/scale:update -namespace a -namespace b -by-name -no-expiry -clock-skew 2s"), &out, &log), log.String())
	want := fence.Fence{
		Lease:          types.NamespacedName{Namespace: "kube-system", Name: "it"},
		ServiceAccount: types.NamespacedName{Namespace: "other", Name: "account"},
		Resources:      []fence.Resource{{Name: "pods"}, {Group: "apps", Name: "deployments/scale", Operations: []fence.Operation{fence.Update}}},
		Namespaces:     []string{"a", "b"}, ByName: true, NoExpiry: true, ClockSkew: 2e9,
	}
	yaml, err := want.YAML()
	require.NoError(t, err)
	assert.Equal(t, string(yaml), out.String())
	for _, warning := range want.Warnings() {
		assert.Contains(t, log.String(), "fence: note: "+warning+"\n")
	}
}

func TestWhatIsWrongIsSaidAndNothingIsPrinted(t *testing.T) {
	for args, says := range map[string]string{
		"":                             "name of the Lease is missing",
		"-lease it":                    `invalid value "it" for flag -lease: must be NAMESPACE/NAME`,
		"-lease a/b -serviceaccount c": "no resources to guard",
		"-resource events":             "cannot be fenced",
		"-lease a/b configmaps":        `argument "configmaps"`,
		"-clock-skew yes":              `invalid value "yes" for flag -clock-skew: must be a duration such as 500ms or 2s`,
		"-by-name=perhaps":             `invalid boolean value "perhaps" for -by-name: must be true or false`,
		"-lease a/b/c":                 `invalid value "a/b/c" for flag -lease: must be NAMESPACE/NAME`,
		"-serviceaccount a/b/c":        `invalid value "a/b/c" for flag -serviceaccount: must be NAME or NAMESPACE/NAME`,
		"-serviceaccount /b":           `invalid value "/b" for flag -serviceaccount: must be NAME or NAMESPACE/NAME`,
		"-resource deployments":        `flag -resource: resource "deployments": the core group has no deployments: must be NAME.GROUP`,
		"-lease a/b -serviceaccount c -resource pods -namespace x,y": `namespace "x,y"`,
		"-lease a/b -serviceaccount c/":                              "name of the ServiceAccount is missing",
	} {
		var out, log bytes.Buffer
		assert.Equal(t, 2, run(strings.Fields(args), &out, &log), args)
		assert.Empty(t, out.String(), args)
		assert.Contains(t, log.String(), says, args)
		assert.Equal(t, 2, strings.Count(log.String(), "\n"), "the error once, and where to read on: %s", log.String())
	}
	var out, log bytes.Buffer
	assert.Zero(t, run([]string{"-help"}, &out, &log))
	assert.Contains(t, log.String(), "-serviceaccount NAME")
	assert.Equal(t, 1, run(strings.Fields("-lease a/b -serviceaccount c -resource pods"), broken{}, &log))
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }
