package endtoend

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	play "github.com/holdfast-go/holdfast/benchmarks/stage"
)

var long = flag.Bool("long", false, "run what takes a minute too: the node death of an unchanged manager")

func TestMain(m *testing.M) {
	replicaMain()
	lab.Enter()
	code := m.Run()
	if shared.lab != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the laboratory:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

const (
	// victim is the API server that is harmed, unharmed are the others;
	// observed is the one that the Leases are observed at.
	victim   = 0
	observed = 2
	// objects is how many ConfigMaps there are to reconcile.
	objects = 20
	// patience bounds every wait for what is to happen soon.
	patience = 30 * time.Second
)

// stage is the laboratory that all tests share.
type stage struct {
	lab        *lab.Lab
	observer   kubernetes.Interface
	kubeconfig string
	runs       int
}

var shared struct {
	once sync.Once
	stage
	err error
}

func laboratory(t *testing.T) *stage {
	t.Helper()
	shared.once.Do(func() {
		begun := time.Now()
		shared.err = shared.stage.set(context.Background())
		t.Logf("figure: laboratory started in %v", time.Since(begun).Round(time.Millisecond))
	})
	require.NoError(t, shared.err)
	return &shared.stage
}

// set starts the laboratory and makes the objects.
func (s *stage) set(ctx context.Context) (err error) {
	if s.lab, err = lab.Start(ctx, lab.Options{Progress: os.Stderr}); err != nil {
		return err
	}
	if s.observer, _, err = s.lab.Observer(observed); err != nil {
		return err
	}
	if s.kubeconfig, err = s.lab.Kubeconfig("manager", lab.Masters); err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Name: namespace}
	if _, err = s.observer.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		return err
	}
	for i := range objects {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("object-%d", i)}}
		if _, err = s.observer.CoreV1().ConfigMaps(namespace).Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// mend ends all harm and returns when the victim serves Leases promptly again: a
// server that was cut off from etcd calls itself ready before.
func (s *stage) mend(ctx context.Context) error {
	if err := s.lab.Mend(ctx); err != nil {
		return err
	}
	return play.Well(ctx, s.lab, victim, play.Prompt)
}
