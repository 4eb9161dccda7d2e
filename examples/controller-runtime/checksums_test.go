package main

import (
	"context"
	"flag"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/holdfast-go/holdfast/examples/controller-runtime/ways"
)

func TestChecksumsOfDifferentDataDiffer(t *testing.T) {
	different := []map[string]string{
		nil, {"a": ""}, {"a": "b"}, {"ab": ""}, {"a": "b", "c": ""}, {"a": "", "b": "c"}, {"a": "bc"},
	}
	seen := map[string]map[string]string{}
	for _, data := range different {
		sum := checksum(data)
		assert.NotContains(t, seen, sum, "%v has the checksum of %v", data, seen[sum])
		seen[sum] = data
	}
	assert.Equal(t, checksum(map[string]string{"a": "1", "b": "2"}), checksum(map[string]string{"b": "2", "a": "1"}))
}

func TestReconcileStampsAndThenWritesNoMore(t *testing.T) {
	key := types.NamespacedName{Namespace: "default", Name: "settings"}
	api := fake.NewClientBuilder().WithObjects(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Data: map[string]string{"a": "b"},
	}).Build()
	c := &checksums{client: api}
	read := func() corev1.ConfigMap {
		_, err := c.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
		require.NoError(t, err)
		var object corev1.ConfigMap
		require.NoError(t, api.Get(t.Context(), key, &object))
		return object
	}
	first := read()
	assert.Equal(t, checksum(map[string]string{"a": "b"}), first.Annotations[stamp])
	assert.Equal(t, first.ResourceVersion, read().ResourceVersion)

	_, err := c.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Name: "gone"}})
	assert.NoError(t, err)
}

func TestFlagsAreReadAndNamedWhenWrong(t *testing.T) {
	s, err := parse([]string{"-way=lock", "-lease=l"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, ways.Lock, s.way)
	assert.Equal(t, "l", s.options().LeaderElectionID)
	_, err = parse([]string{"-way=etcd"}, io.Discard)
	assert.ErrorContains(t, err, "unchanged, config, lock, elector")
	_, err = parse([]string{"more"}, io.Discard)
	assert.ErrorContains(t, err, `"more"`)
	_, err = parse([]string{"-h"}, io.Discard)
	assert.ErrorIs(t, err, flag.ErrHelp)
	assert.ErrorContains(t, run(context.Background(), settings{kubeconfig: "/nowhere"}), `"/nowhere"`)
}
