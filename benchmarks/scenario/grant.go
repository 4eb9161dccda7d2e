package scenario

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// Grant gives the copies of a program that is Restricted the rights that a manifest
// grants: each binding in it binds them, whatever its subjects are. Roles and bindings
// without a namespace are made in namespace. Service accounts and namespaces may be in
// it; anything else is an error that names its kind.
func (s *Stage) Grant(ctx context.Context, manifest []byte, namespace string) error {
	objects, err := rights(manifest, namespace)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := s.create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("grant rights: %T: %w", o, err)
		}
	}
	return nil
}

// rights reads a manifest: roles, and bindings of the copies of a program.
func rights(manifest []byte, namespace string) ([]runtime.Object, error) {
	var objects []runtime.Object
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read a manifest of rights: %w", err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		o, kind, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("read a manifest of rights: %w", err)
		}
		switch o := o.(type) {
		case *corev1.ServiceAccount, *corev1.Namespace:
			continue
		case *rbacv1.Role:
			o.Namespace = inOr(o.Namespace, namespace)
		case *rbacv1.RoleBinding:
			o.Namespace, o.Subjects = inOr(o.Namespace, namespace), users(copies...)
		case *rbacv1.ClusterRole:
		case *rbacv1.ClusterRoleBinding:
			o.Subjects = users(copies...)
		default:
			return nil, fmt.Errorf("read a manifest of rights: it holds a %s: must be of roles and bindings", kind.Kind)
		}
		objects = append(objects, o)
	}
}

// inOr is the namespace an object names, or the other.
func inOr(named, other string) string {
	if named == "" {
		return other
	}
	return named
}

// create makes one of the objects that rights returns, and its namespace before it.
func (s *Stage) create(ctx context.Context, o runtime.Object) error {
	rbac := s.observer.RbacV1()
	var err error
	switch o := o.(type) {
	case *rbacv1.Role:
		if err = s.namespace(ctx, o.Namespace); err == nil {
			_, err = rbac.Roles(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		}
	case *rbacv1.RoleBinding:
		if err = s.namespace(ctx, o.Namespace); err == nil {
			_, err = rbac.RoleBindings(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		}
	case *rbacv1.ClusterRole:
		_, err = rbac.ClusterRoles().Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.ClusterRoleBinding:
		_, err = rbac.ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
	}
	return err
}

// namespace makes a namespace unless it is there.
func (s *Stage) namespace(ctx context.Context, name string) error {
	_, err := s.observer.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}
