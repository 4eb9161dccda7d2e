package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
)

const (
	manifestFolder = "../../examples/controller/deploy"
	// installed is the namespace that the manifests name, and the name that all
	// of their objects bear.
	installed = "kube-system"
	name      = "hosts-controller"
)

func TestMain(m *testing.M) {
	lab.Enter()
	shared.Run(m)
}

// shared is the laboratory, with one API server, and the controller's program.
var shared = labtest.Shared[deployment]{Make: func(ctx context.Context) (d deployment, err error) {
	if d.folder, err = os.MkdirTemp("", "holdfast-deploy-"); err != nil {
		return d, err
	}
	if d.controller, err = labtest.BuildController(ctx, d.folder); err != nil {
		return d, err
	}
	if d.lab, err = lab.Start(ctx, lab.Options{APIServers: 1, Progress: os.Stderr}); err != nil {
		return d, err
	}
	return d, untilNamespace(ctx, d.lab)
}}

type deployment struct {
	lab                *lab.Lab
	folder, controller string
}

// Close ends the laboratory and removes the program.
func (d deployment) Close() error { return errors.Join(d.lab.Close(), os.RemoveAll(d.folder)) }

func laboratory(t *testing.T) (l *lab.Lab, controller string) {
	t.Helper()
	d := shared.The(t)
	return d.lab, d.controller
}

// untilNamespace waits for the namespaces that the API server itself makes.
func untilNamespace(ctx context.Context, l *lab.Lab) error {
	api, _, err := l.Observer(0)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, system := api.CoreV1().Namespaces().Get(ctx, installed, metav1.GetOptions{})
		_, ours := api.CoreV1().Namespaces().Get(ctx, corev1.NamespaceDefault, metav1.GetOptions{})
		if system == nil && ours == nil {
			return nil
		}
		if time.Now().After(deadline) || (system != nil && !apierrors.IsNotFound(system)) {
			return fmt.Errorf("the API server did not make its namespaces: %w, %w", system, ours)
		}
	}
}

// manifest returns the documents of a file of the manifests.
func manifest(t *testing.T, file string) [][]byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(manifestFolder, file))
	require.NoError(t, err)
	return bytes.Split(content, []byte("\n---\n"))
}
