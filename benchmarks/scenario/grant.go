package scenario

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/holdfast-go/holdfast/benchmarks/stage"
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
	if err := s.make(ctx, objects...); err != nil {
		return fmt.Errorf("grant rights: %w", err)
	}
	return nil
}

// rights reads a manifest: namespaces, roles, and bindings of the copies of a program.
func rights(manifest []byte, namespace string) (objects []client.Object, err error) {
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
		read, kind, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("read a manifest of rights: %w", err)
		}
		switch o := read.(type) {
		case *corev1.ServiceAccount, *corev1.Namespace:
		case *rbacv1.Role:
			o.Namespace = cmp.Or(o.Namespace, namespace)
			objects = append(objects, stage.Namespace(o.Namespace), o)
		case *rbacv1.RoleBinding:
			o.Namespace, o.Subjects = cmp.Or(o.Namespace, namespace), stage.Users(copies...)
			objects = append(objects, stage.Namespace(o.Namespace), o)
		case *rbacv1.ClusterRole:
			objects = append(objects, o)
		case *rbacv1.ClusterRoleBinding:
			o.Subjects = stage.Users(copies...)
			objects = append(objects, o)
		default:
			return nil, fmt.Errorf("read a manifest of rights: it holds a %s: must be of roles and bindings", kind.Kind)
		}
	}
}
