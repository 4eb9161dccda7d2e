// Package manifests reads the manifests of the examples, for their tests.
package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Read returns the objects of the YAML files that match a pattern (filepath.Glob), in
// the order of the files. No file, a kind that client-go does not know, and a field
// that does not exist are errors.
func Read(pattern string) ([]runtime.Object, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no file matches %s", pattern)
	}
	var objects []runtime.Object
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
			object, err := parse(document)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			objects = append(objects, object)
		}
	}
	return objects, nil
}

func parse(document []byte) (runtime.Object, error) {
	var kind runtime.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return nil, err
	}
	object, err := scheme.Scheme.New(kind.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	return object, yaml.UnmarshalStrict(document, object)
}

// The returns the only object of type T in files that match a pattern.
func The[T runtime.Object](pattern string) (T, error) {
	var found []T
	objects, err := Read(pattern)
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	if err == nil && len(found) != 1 {
		err = errors.New("must be one")
	}
	if err != nil {
		var none T
		return none, fmt.Errorf("%d objects of type %T in %s: %w", len(found), none, pattern, err)
	}
	return found[0], nil
}
