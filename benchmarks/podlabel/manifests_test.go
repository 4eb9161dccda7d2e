package podlabel

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

// What `kubectl apply --server-side --dry-run=server` does.
func TestTheAPIServerAcceptsTheManifests(t *testing.T) {
	api, config := admin(t)
	resources, err := restmapper.GetAPIGroupResources(api.Discovery())
	require.NoError(t, err)
	mapper := restmapper.NewDiscoveryRESTMapper(resources)
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	for _, folder := range []string{"elect", "relay"} {
		files, err := filepath.Glob(filepath.Join("../../examples", folder, "deploy/*.yaml"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
				var object unstructured.Unstructured
				require.NoError(t, yaml.Unmarshal(document, &object.Object))
				mapping, err := mapper.RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
				require.NoError(t, err)
				_, err = client.Resource(mapping.Resource).Namespace(object.GetNamespace()).Apply(t.Context(), object.GetName(), &object,
					metav1.ApplyOptions{FieldManager: "newcomer", DryRun: []string{metav1.DryRunAll}})
				assert.NoError(t, err, file)
			}
		}
	}
}
