package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
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
	code := m.Run()
	if shared.lab != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the laboratory:", err)
			code = max(code, 1)
		}
	}
	if shared.folder != "" {
		if err := os.RemoveAll(shared.folder); err != nil {
			fmt.Fprintln(os.Stderr, "remove the controller:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// shared is the laboratory, with one API server, and the controller's program.
var shared struct {
	once       sync.Once
	lab        *lab.Lab
	folder     string
	controller string
	err        error
}

func laboratory(t *testing.T) (l *lab.Lab, controller string) {
	t.Helper()
	shared.once.Do(func() {
		if shared.folder, shared.err = os.MkdirTemp("", "holdfast-deploy-"); shared.err != nil {
			return
		}
		if shared.controller, shared.err = labtest.BuildController(t.Context(), shared.folder); shared.err != nil {
			return
		}
		shared.lab, shared.err = lab.Start(t.Context(), lab.Options{APIServers: 1, Progress: os.Stderr})
		if shared.err == nil {
			shared.err = untilNamespace(t.Context(), shared.lab)
		}
	})
	require.NoError(t, shared.err)
	return shared.lab, shared.controller
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
