package main

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheKubeconfigLeadsToTheAPI(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, says := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-kubeconfig", path}, says) }()
	_, err := ready.Read(make([]byte, 256))
	require.NoError(t, err)

	config, err := clientcmd.BuildConfigFromFlags("", path)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	leases, err := client.CoordinationV1().Leases("default").List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	assert.Empty(t, leases.Items)
	cancel()
	assert.NoError(t, <-ended)
}

func TestWhatCannotBeServedIsNamed(t *testing.T) {
	assert.ErrorContains(t, run(t.Context(), nil, io.Discard), "-kubeconfig")
	assert.ErrorContains(t, run(t.Context(), []string{"-kubeconfig", "x", "-for", "0s"}, io.Discard), "-for 0s")
	nowhere := filepath.Join(t.TempDir(), "file", "\x00")
	assert.ErrorContains(t, run(t.Context(), []string{"-kubeconfig", nowhere}, io.Discard), "-kubeconfig")
}
