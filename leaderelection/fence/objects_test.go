package fence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admission "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

func objectsOf(t *testing.T, f Fence) []runtime.Object {
	t.Helper()
	objects, err := f.Objects()
	require.NoError(t, err)
	return objects
}

func kinds(t *testing.T, objects []runtime.Object) (kinds []string) {
	t.Helper()
	for _, object := range objects {
		accessor, err := meta.Accessor(object)
		require.NoError(t, err)
		kinds = append(kinds, object.GetObjectKind().GroupVersionKind().Kind+" "+accessor.GetName())
	}
	return kinds
}

// What keeps the Lease known comes before what goes by it, and the binding that
// refuses comes last.
func TestTheOrderOfTheObjects(t *testing.T) {
	f := guarding("configmaps")
	f.Term = true
	assert.Equal(t, []string{
		"ValidatingAdmissionPolicy " + Keeper,
		"ValidatingAdmissionPolicyBinding " + Keeper,
		"ValidatingAdmissionPolicy fence-lease.kube-system.my-controller",
		"ValidatingAdmissionPolicyBinding fence-lease.kube-system.my-controller",
		"MutatingAdmissionPolicy fence-term.kube-system.my-controller",
		"MutatingAdmissionPolicyBinding fence-term.kube-system.my-controller",
		"ValidatingAdmissionPolicy fence.kube-system.my-controller",
		"ValidatingAdmissionPolicyBinding fence.kube-system.my-controller",
	}, kinds(t, objectsOf(t, f)))
}

func TestEachPolicyIsBoundByTheBindingOfItsName(t *testing.T) {
	for _, object := range objectsOf(t, guarding("configmaps")) {
		if b, ok := object.(*admission.ValidatingAdmissionPolicyBinding); ok {
			assert.Equal(t, b.Name, b.Spec.PolicyName)
			assert.Equal(t, []admission.ValidationAction{admission.Deny}, b.Spec.ValidationActions)
		}
	}
}

func TestNamesOfAllLeasesAreValidAndTheirOwn(t *testing.T) {
	long := strings.Repeat("a", 63)
	name253 := strings.Repeat(long+".", 3) + strings.Repeat("b", 61)
	seen := map[string]types.NamespacedName{}
	for _, lease := range []types.NamespacedName{
		{Namespace: "a", Name: "b.c"}, {Namespace: "a-b", Name: "c"}, {Namespace: "a", Name: "b-c"},
		{Namespace: long, Name: name253}, {Namespace: long, Name: name253[:252] + "c"}, {Namespace: "a" + long[1:62], Name: name253},
		{Namespace: long, Name: strings.Repeat("c", 181) + ".d"}, {Namespace: long, Name: strings.Repeat("c", 180) + ".d"},
	} {
		for _, kind := range []string{"fence", "fence-lease", "fence-term"} {
			n := name(kind, lease)
			assert.Empty(t, validation.NameIsDNSSubdomain(n, false), n)
			assert.NotContains(t, seen, n)
			seen[n] = lease
		}
	}
}

// What is printed is read again by types that know all of its fields.
func TestTheYAMLHasWhatTheObjectsHave(t *testing.T) {
	f := guarding("configmaps", "deployments.apps/scale:update", "pods/exec")
	f.Namespaces = []string{"n", "y"} // booleans, for some readers of YAML
	text, err := f.YAML()
	require.NoError(t, err)
	objects := objectsOf(t, f)
	documents := bytes.Split(bytes.TrimPrefix(text, []byte("---\n")), []byte("---\n"))
	require.Len(t, documents, len(objects))
	for i, document := range documents {
		got, err := scheme.Scheme.New(objects[i].GetObjectKind().GroupVersionKind())
		require.NoError(t, err)
		require.NoError(t, yaml.UnmarshalStrict(document, got))
		assert.Equal(t, objects[i], got)
	}
}

func TestOnlyWhatIsStampedIsStampedWithTheTerm(t *testing.T) {
	f := guarding("configmaps", "deployments.apps/scale", "pods/exec", "secrets:delete,update")
	var got []string
	for _, rule := range f.resourceRules(true) {
		for _, operation := range rule.Operations {
			got = append(got, rule.Resources[0]+" "+string(operation))
		}
	}
	assert.Equal(t, []string{"configmaps CREATE", "configmaps UPDATE", "secrets UPDATE"}, got)
}
