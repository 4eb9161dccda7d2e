package fence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	admission "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

const (
	group  = "admissionregistration.k8s.io"
	leases = "coordination.k8s.io/v1"
)

// Keeper is the name of the policy, and of its binding, that keeps the API servers
// watching Leases for policies. It is one for all fences of a cluster, refuses
// nothing and is never to be removed: an API server whose last policy over a
// built-in kind is unbound stops watching that kind until it is started again, and
// fences that are installed later would go by what was known then
// (https://github.com/kubernetes/kubernetes/issues/130887).
const Keeper = "fence-keeper.holdfast-go.github.io"

// Policy returns the name of the policy that fences by a lease, and of its binding. A
// lease has one fence: another for the same lease, as for a second ServiceAccount, takes
// its place.
func Policy(lease types.NamespacedName) string { return name("fence", lease) }

// name makes the name of a cluster-scoped object of a lease. A namespace has no
// dot, so that no two leases share one.
func name(kind string, lease types.NamespacedName) string {
	full := kind + "." + lease.Namespace + "." + lease.Name
	if len(full) <= longest {
		return full
	}
	sum := sha256.Sum256([]byte(full))
	return full[:longest-17] + "x" + hex.EncodeToString(sum[:8])
}

// longest is the longest name that the API server takes.
const longest = 253

// Objects returns what is to be created, in that order: the keeper and its binding
// (which are one for all fences of the cluster), the guard of the Lease (nobody may
// delete it, since without it the fence would refuse everyone), what stamps the
// term where that is asked for, and the fence itself, its binding last. The first
// bindings make the API servers watch the Lease before the last one refuses
// anything. They are taken away in the reverse order, without the keeper.
//
// The error is that of Validate.
func (f Fence) Objects() ([]runtime.Object, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	objects := []runtime.Object{
		keeper(), f.binding(Keeper, nil, admission.AllowAction),
		f.guard(), bindingOf(name("fence-lease", f.Lease), admission.ValidatingAdmissionPolicyBindingSpec{}),
	}
	if f.Term {
		objects = append(objects, f.stamp(), f.stampBinding())
	}
	return append(objects, f.fence(), f.binding(Policy(f.Lease), f.scope(), admission.DenyAction)), nil
}

// YAML returns the objects as documents that `kubectl apply -f -` takes.
func (f Fence) YAML() ([]byte, error) {
	objects, err := f.Objects()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, err
		}
		unstructured.RemoveNestedField(content, "status")
		unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
		document, err := yaml.Marshal(content)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "---\n%s", document)
	}
	return out.Bytes(), nil
}

// fence is the policy that refuses who does not hold the lease.
func (f Fence) fence() *admission.ValidatingAdmissionPolicy {
	rules := []rule{boundRule(), holderRule(f.ByName)}
	if !f.NoExpiry {
		rules = append(rules, expiryRule(f.ClockSkew))
	}
	if f.Term {
		rules = append(rules, termRule())
	}
	spec := admission.ValidatingAdmissionPolicySpec{
		ParamKind:        &admission.ParamKind{APIVersion: leases, Kind: "Lease"},
		MatchConstraints: &admission.MatchResources{ResourceRules: f.resourceRules(false)},
		MatchConditions:  []admission.MatchCondition{callerIs(f.user())},
		Variables:        variables(),
	}
	for _, r := range rules {
		spec.Validations = append(spec.Validations, r.validation(f.Lease.String()))
	}
	return policyOf(Policy(f.Lease), spec)
}

// resourceRules are the resources as a policy lists them: all of them, or those
// that a term is stamped on.
func (f Fence) resourceRules(stamped bool) []admission.NamedRuleWithOperations {
	var rules []admission.NamedRuleWithOperations
	for _, resource := range f.Resources {
		var ops []admission.OperationType
		for _, operation := range resource.guarded() {
			if !stamped || resource.stamped() && (operation == Create || operation == Update) {
				ops = append(ops, api[operation])
			}
		}
		if len(ops) == 0 {
			continue
		}
		rules = append(rules, admission.NamedRuleWithOperations{RuleWithOperations: admission.RuleWithOperations{
			Operations: ops,
			Rule:       admission.Rule{APIGroups: []string{resource.Group}, APIVersions: []string{"*"}, Resources: []string{resource.Name}},
		}})
	}
	return rules
}

var api = map[Operation]admission.OperationType{
	Create: admission.Create, Update: admission.Update, Delete: admission.Delete, Connect: admission.Connect,
}

// scope are the namespaces in which the fence applies; nil is everywhere.
func (f Fence) scope() *admission.MatchResources {
	if len(f.Namespaces) == 0 {
		return nil
	}
	return &admission.MatchResources{NamespaceSelector: inNamespaces(f.Namespaces)}
}

func inNamespaces(names []string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: names},
	}}
}

// keeper is a policy over Leases that applies to no request.
func keeper() *admission.ValidatingAdmissionPolicy {
	return policyOf(Keeper, admission.ValidatingAdmissionPolicySpec{
		ParamKind: &admission.ParamKind{APIVersion: leases, Kind: "Lease"},
		MatchConstraints: &admission.MatchResources{ResourceRules: []admission.NamedRuleWithOperations{{RuleWithOperations: admission.RuleWithOperations{
			Operations: []admission.OperationType{admission.Create},
			Rule:       admission.Rule{APIGroups: []string{"keeper.holdfast-go.github.io"}, APIVersions: []string{"*"}, Resources: []string{"nothing"}},
		}}}},
		Validations: []admission.Validation{{Expression: "true", Message: "nothing is refused"}},
	})
}

// guard is a policy that refuses to delete the Lease, one by one or with others.
func (f Fence) guard() *admission.ValidatingAdmissionPolicy {
	return policyOf(name("fence-lease", f.Lease), admission.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admission.MatchResources{
			NamespaceSelector: inNamespaces([]string{f.Lease.Namespace}),
			ResourceRules: []admission.NamedRuleWithOperations{{RuleWithOperations: admission.RuleWithOperations{
				Operations: []admission.OperationType{admission.Delete},
				Rule:       admission.Rule{APIGroups: []string{"coordination.k8s.io"}, APIVersions: []string{"*"}, Resources: []string{"leases"}},
			}}},
		},
		Validations: []admission.Validation{{
			Expression: fmt.Sprintf("oldObject == null || oldObject.metadata.name != %q", f.Lease.Name),
			Message:    fmt.Sprintf("the Lease %s is what a fence goes by, and without it the fence refuses everyone: remove the policy %s first, and then this one", f.Lease, Policy(f.Lease)),
		}},
	})
}

// binding binds a policy over Leases to that of the election.
func (f Fence) binding(policy string, scope *admission.MatchResources, notFound admission.ParameterNotFoundActionType) *admission.ValidatingAdmissionPolicyBinding {
	return bindingOf(policy, admission.ValidatingAdmissionPolicyBindingSpec{
		ParamRef:       &admission.ParamRef{Name: f.Lease.Name, Namespace: f.Lease.Namespace, ParameterNotFoundAction: &notFound},
		MatchResources: scope,
	})
}

func policyOf(name string, spec admission.ValidatingAdmissionPolicySpec) *admission.ValidatingAdmissionPolicy {
	spec.FailurePolicy = ptr.To(admission.Fail)
	return &admission.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: group + "/v1", Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       spec,
	}
}

func bindingOf(policy string, spec admission.ValidatingAdmissionPolicyBindingSpec) *admission.ValidatingAdmissionPolicyBinding {
	spec.PolicyName, spec.ValidationActions = policy, []admission.ValidationAction{admission.Deny}
	return &admission.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: group + "/v1", Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: policy},
		Spec:       spec,
	}
}

// stamp is the policy that writes the term on what is written. It is made without
// types, since client-go has none for v1 before 0.36.
func (f Fence) stamp() *unstructured.Unstructured {
	var rules []any
	for _, rule := range f.resourceRules(true) {
		content, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(&rule)
		rules = append(rules, content)
	}
	condition := callerIs(f.user())
	return mutating("MutatingAdmissionPolicy", name("fence-term", f.Lease), map[string]any{
		"failurePolicy":      "Fail",
		"reinvocationPolicy": "IfNeeded",
		"paramKind":          map[string]any{"apiVersion": leases, "kind": "Lease"},
		"matchConstraints":   map[string]any{"resourceRules": rules},
		"matchConditions":    []any{map[string]any{"name": condition.Name, "expression": condition.Expression}},
		"mutations": []any{map[string]any{
			"patchType": "ApplyConfiguration",
			"applyConfiguration": map[string]any{"expression": fmt.Sprintf(
				`Object{metadata: Object.metadata{annotations: {%q: string(has(params.spec.leaseTransitions) ? int(params.spec.leaseTransitions) : 0)}}}`, TermAnnotation)},
		}},
	})
}

func (f Fence) stampBinding() *unstructured.Unstructured {
	spec := map[string]any{
		"policyName": name("fence-term", f.Lease),
		"paramRef":   map[string]any{"name": f.Lease.Name, "namespace": f.Lease.Namespace, "parameterNotFoundAction": "Deny"},
	}
	if scope := f.scope(); scope != nil {
		content, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(scope)
		spec["matchResources"] = content
	}
	return mutating("MutatingAdmissionPolicyBinding", name("fence-term", f.Lease), spec)
}

func mutating(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1", "kind": kind,
		"metadata": map[string]any{"name": name}, "spec": spec,
	}}
}
