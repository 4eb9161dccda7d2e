package labtest

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// DryRun returns what applies a document of a manifest as kubectl does, and changes
// nothing.
func DryRun(api kubernetes.Interface, config *rest.Config) (func(context.Context, []byte) (*unstructured.Unstructured, error), error) {
	resources, err := restmapper.GetAPIGroupResources(api.Discovery())
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDiscoveryRESTMapper(resources)
	client, err := dynamic.NewForConfig(config)
	return func(ctx context.Context, document []byte) (*unstructured.Unstructured, error) {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return nil, err
		}
		mapping, err := mapper.RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
		if err != nil {
			return nil, err
		}
		return client.Resource(mapping.Resource).Namespace(object.GetNamespace()).Apply(ctx, object.GetName(), &object,
			metav1.ApplyOptions{FieldManager: "newcomer", DryRun: []string{metav1.DryRunAll}})
	}, err
}
