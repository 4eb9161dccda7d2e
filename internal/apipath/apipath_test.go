package apipath_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/internal/apipath"
)

func TestWhatAPathLeadsTo(t *testing.T) {
	for path, want := range map[string][3]bool{ // a watch, a connection, into a Pod
		"/api/v1/pods":       {},
		"/api/v1/watch/pods": {true, false, false},
		"/prefix/apis/apps/v1/watch/namespaces/n/deployments": {true, false, false},
		"/api/v1/namespaces/n/pods/p/exec":                    {false, true, true},
		"/prefix/api/v1/namespaces/n/pods/p/attach":           {false, true, true},
		"/api/v1/namespaces/n/pods/p/portforward":             {false, true, true},
		"/api/v1/namespaces/n/services/s/proxy/watch/it":      {false, true, false},
		"/api/v1/nodes/n/proxy/metrics":                       {false, true, false},
		"/apis/x.example.com/v1/namespaces/n/machines/m/exec": {false, true, true},
		// Behind a hub its API decides, and into a Pod is into a Pod.
		"/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy":                                                                {false, true, false},
		"/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy/healthz":                                                        {false, true, false},
		"/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy/apis/coordination.k8s.io/v1/namespaces/n/leases/l":              {},
		"/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy/api/v1/watch/pods":                                              {true, false, false},
		"/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy/api/v1/namespaces/n/pods/p/exec":                                {false, true, true},
		"/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy/api/v1/namespaces/n/services/s/proxy/api/v1/tail":               {false, true, false},
		"/hub/apis/x.example.com/v1/clusters/a/proxy/apis/y.example.com/v1/clusters/b/proxy/api/v1/nodes/n/proxy/run/n/p/c": {false, true, true},
		// What a Service is a proxy of need not be an API of Kubernetes.
		"/api/v1/namespaces/n/services/s/proxy/api/v1/things":                   {false, true, false},
		"/api/v1/namespaces/n/services/s/proxy/api/v1/namespaces/n/pods/p/exec": {false, true, true},
		"/api/v1/nodes/n/proxy/exec/n/p/c":                                      {false, true, true},
		"/api/v1/nodes/n/proxy/cri/exec/token":                                  {false, true, true},
		"/api/v1/nodes/n/proxy":                                                 {false, true, false},
		"/api/v1/namespaces/n/pods/exec":                                        {},
		"/api/v1/namespaces/n/pods/p/log":                                       {},
		"/api/v1/namespaces/watch/pods/proxy":                                   {},
		"/watch/exec/proxy":                                                     {},
		"":                                                                      {},
	} {
		assert.Equal(t, want, [3]bool{apipath.IsWatch(path), apipath.Connects(path), apipath.IntoPod(path)}, path)
	}
}
