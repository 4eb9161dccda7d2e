package deploy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-go/holdfast/benchmarks/labtest"
)

// What `kubectl apply --server-side --dry-run=server` does.
func TestTheAPIServerAcceptsTheManifests(t *testing.T) {
	l, _ := laboratory(t)
	api, config, err := l.Observer(0)
	require.NoError(t, err)
	dryRun, err := labtest.DryRun(api, config)
	require.NoError(t, err)
	apply := func(document []byte) (*unstructured.Unstructured, error) { return dryRun(t.Context(), document) }

	files, err := filepath.Glob(filepath.Join(manifestFolder, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	accepted := 0
	for _, file := range files {
		for _, document := range manifest(t, filepath.Base(file)) {
			got, err := apply(document)
			if assert.NoError(t, err, file) {
				accepted++
				assert.Equal(t, name, got.GetName(), file)
			}
		}
	}
	t.Logf("figure: dry run: %d objects accepted", accepted)

	// The check can fail: a field that does not exist, a value that may not be.
	deployment, err := os.ReadFile(filepath.Join(manifestFolder, "deployment.yaml"))
	require.NoError(t, err)
	for from, to := range map[string]string{"replicas: 2": "replica: 2", "path: /readyz": "paths: /readyz", "cpu: 20m": "cpu: twenty"} {
		broken := bytes.Replace(deployment, []byte(from), []byte(to), 1)
		require.NotEqual(t, string(deployment), string(broken), "the Deployment has no %q", from)
		_, err := apply(broken)
		assert.Error(t, err, to)
		assert.False(t, apierrors.IsForbidden(err), to)
	}
	_, err = api.AppsV1().Deployments(installed).Get(t.Context(), name, metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "a dry run left something: %v", err)
}
