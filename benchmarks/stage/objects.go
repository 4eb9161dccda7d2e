package stage

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// controller-runtime complains at length where nobody has said where it is to log.
var quiet = sync.OnceFunc(func() { log.SetLogger(klog.Background()) })

// Make creates objects of any kind, in their order. What is there already stays.
func Make(ctx context.Context, config *rest.Config, objects ...client.Object) error {
	quiet()
	c, err := client.New(config, client.Options{})
	if err != nil {
		return fmt.Errorf("make objects: %w", err)
	}
	for _, o := range objects {
		if err := c.Create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("make %T %s: %w", o, o.GetName(), err)
		}
	}
	return nil
}

// Namespace is a namespace of that name.
func Namespace(name string) client.Object {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// Rights are a namespace and in it a role, of that name, which is bound to the subjects.
// Those of them that are ServiceAccounts are made too.
func Rights(namespace, name string, rules []rbacv1.PolicyRule, subjects ...rbacv1.Subject) []client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	return append(accounts(namespace, subjects),
		&rbacv1.Role{ObjectMeta: meta, Rules: rules},
		&rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}},
	)
}

// RightsEverywhere is Rights of a role of the cluster.
func RightsEverywhere(name string, rules []rbacv1.PolicyRule, subjects ...rbacv1.Subject) []client.Object {
	meta := metav1.ObjectMeta{Name: name}
	return append(accounts("", subjects),
		&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}},
	)
}

func accounts(namespace string, subjects []rbacv1.Subject) (objects []client.Object) {
	if namespace != "" {
		objects = append(objects, Namespace(namespace))
	}
	for _, s := range subjects {
		if s.Kind == rbacv1.ServiceAccountKind {
			objects = append(objects, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}})
		}
	}
	return objects
}

// Users are the users of those names.
func Users(names ...string) (subjects []rbacv1.Subject) {
	for _, name := range names {
		subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name})
	}
	return subjects
}

// Account is the ServiceAccount of that name.
func Account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

// Rule allows verbs on a resource of an API group.
func Rule(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

// Leases are the rights of those who contend: what client-go's elector needs, and to watch.
func Leases() rbacv1.PolicyRule {
	return Rule("coordination.k8s.io", "leases", "get", "create", "update", "list", "watch")
}
