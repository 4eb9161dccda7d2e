package fenced

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// The schema that docs/fence.md shows refuses a write of an earlier term.
func TestTheTermInASchema(t *testing.T) {
	page, err := os.ReadFile("../../docs/fence.md")
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(page), "```yaml\n")
	require.True(t, found)
	shown, _, found = strings.Cut(shown, "```")
	require.True(t, found)
	var definition map[string]any
	require.NoError(t, yaml.UnmarshalStrict([]byte(shown), &definition))

	s := newStage(t, "")
	s.create(t, unstructuredOf(definition))
	client, err := dynamic.NewForConfig(s.config[0])
	require.NoError(t, err)
	shards := client.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "shards"}).Namespace(namespace)
	write := func(it *unstructured.Unstructured, spec map[string]any) (*unstructured.Unstructured, error) {
		it = it.DeepCopy()
		it.Object["spec"] = spec
		return shards.Update(t.Context(), it, metav1.UpdateOptions{})
	}
	var it *unstructured.Unstructured
	s.until(t, "the resource", func(ctx context.Context) (err error) {
		it, err = shards.Create(ctx, unstructuredOf(map[string]any{
			"apiVersion": "example.com/v1", "kind": "Shard", "metadata": map[string]any{"name": "it"}, "spec": map[string]any{"term": int64(232), "owner": "a"},
		}), metav1.CreateOptions{})
		return err
	})
	it, err = write(it, map[string]any{"term": int64(232), "owner": "a again"})
	require.NoError(t, err, "the same term")
	it, err = write(it, map[string]any{"term": int64(1024), "owner": "b"})
	require.NoError(t, err, "a later one")
	_, err = write(it, map[string]any{"term": int64(232), "owner": "a"})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.ErrorContains(t, err, "it was written in a later term")
	_, err = write(it, map[string]any{"owner": "a"})
	assert.True(t, apierrors.IsInvalid(err), "without a term: %v", err)
}
