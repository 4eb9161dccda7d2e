package publish

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var target = Target{Namespace: "kube-system", Name: "hosts", Key: "services.override", Owner: "kube-system/lease"}

func ours(change func(*corev1.ConfigMap)) *corev1.ConfigMap {
	configMap := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: target.Namespace, Name: target.Name, ResourceVersion: "7",
			Labels:      map[string]string{ManagedByLabel: ManagedBy},
			Annotations: map[string]string{OwnerAnnotation: target.Owner},
		},
		Data: map[string]string{target.Key: "block"},
	}
	if change != nil {
		change(configMap)
	}
	return configMap
}

func TestWhatHasToBeDoneToAConfigMap(t *testing.T) {
	cases := map[string]struct {
		current *corev1.ConfigMap
		action  action
	}{
		"missing":                {nil, create},
		"as it has to be":        {ours(nil), nothing},
		"with another block":     {ours(func(c *corev1.ConfigMap) { c.Data[target.Key] = "other" }), update},
		"without any data":       {ours(func(c *corev1.ConfigMap) { c.Data = nil }), update},
		"without our label":      {ours(func(c *corev1.ConfigMap) { c.Labels = nil }), update},
		"with our key as binary": {ours(func(c *corev1.ConfigMap) { c.BinaryData = map[string][]byte{target.Key: nil} }), update},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := c.current.DeepCopy()
			next, what, err := target.want(c.current, "block")
			require.NoError(t, err)
			assert.Equal(t, c.action, what)
			assert.Equal(t, before, c.current, "the cache's object must not change")
			assert.Equal(t, "block", next.Data[target.Key])
			assert.NotContains(t, next.BinaryData, target.Key)
			_, again, err := target.want(next, "block")
			require.NoError(t, err)
			assert.Equal(t, nothing, again, "what was written has to be what is wanted")
			if c.action == update {
				assert.Equal(t, "7", next.ResourceVersion, "an update has to say what it is based on")
			}
		})
	}
}

func TestOtherKeysLabelsAndAnnotationsSurvive(t *testing.T) {
	next, _, err := target.want(ours(func(c *corev1.ConfigMap) {
		c.Data["other.server"] = "theirs"
		c.BinaryData = map[string][]byte{"bytes": {1}}
		c.Labels["team"] = "dns"
		c.Annotations["note"] = "kept"
	}), "new")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{target.Key: "new", "other.server": "theirs"}, next.Data)
	assert.Equal(t, map[string][]byte{"bytes": {1}}, next.BinaryData)
	assert.Equal(t, "dns", next.Labels["team"])
	assert.Equal(t, "kept", next.Annotations["note"])
}

func TestAConfigMapOfSomeoneElseIsRefused(t *testing.T) {
	for name, change := range map[string]func(*corev1.ConfigMap){
		"without an owner":        func(c *corev1.ConfigMap) { c.Annotations = nil },
		"of another installation": func(c *corev1.ConfigMap) { c.Annotations[OwnerAnnotation] = "kube-system/other" },
	} {
		t.Run(name, func(t *testing.T) {
			next, what, err := target.want(ours(change), "new")
			require.ErrorIs(t, err, ErrNotOwner)
			assert.ErrorContains(t, err, OwnerAnnotation)
			assert.Equal(t, nothing, what)
			assert.Nil(t, next)
		})
	}
}
