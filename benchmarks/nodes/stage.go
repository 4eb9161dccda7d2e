package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// The images that the nodes have.
const (
	pauseImage      = "local.test/pause:1"
	memberImage     = "local.test/member:1"
	controllerImage = "local.test/controller:1"
)

// namespace is where the Pods of all plays are, and their leases.
const namespace = "crash"

// The ServiceAccounts of the members. All may use leases; the second may watch Pods,
// the third list them, and the fourth has both, and writes labels through their status.
const (
	contends = "contends"
	watches  = "contends-and-watches"
	lists    = "contends-and-lists"
	bears    = "contends-and-bears-the-label"
)

// A Stage is a laboratory with nodes. Its methods are safe for concurrent use.
type Stage struct {
	Lab   *lab.Lab
	Nodes []*node.Node

	api    kubernetes.Interface
	config *rest.Config // of api
	folder string       // of what was built
	leases history
	stop   context.CancelFunc
	work   sync.WaitGroup

	serving    sync.Once // of Play.Serve
	servingErr error
}

// NewStage builds the programs of the Pods, starts a lab with one API server, and boots
// nodes of those names, with o where that says more than the images. Call node.Enter
// first. Progress, which may be nil, is told of each step.
func NewStage(ctx context.Context, progress io.Writer, o node.Options, names ...string) (_ *Stage, err error) {
	if progress == nil {
		progress = io.Discard
	}
	s := &Stage{stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.folder, err = os.MkdirTemp("", "holdfast-nodes-"); err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "nodes: building the programs of the Pods")
	images, err := s.build(ctx)
	if err != nil {
		return nil, err
	}
	if s.Lab, err = lab.Start(ctx, lab.Options{APIServers: 1, APIServerArgs: node.APIServerArgs(), Progress: progress}); err != nil {
		return nil, err
	}
	if s.api, s.config, err = s.Lab.Observer(0); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	begin := time.Now()
	s.Nodes = make([]*node.Node, len(names))
	errs := make([]error, len(names))
	var booting sync.WaitGroup
	for i, name := range names {
		booting.Go(func() {
			o := o
			o.Pause, o.Images = images[0], images[1:]
			s.Nodes[i], errs[i] = node.Start(ctx, s.Lab, name, o)
		})
	}
	booting.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "nodes: %d nodes are ready (%.1f s)\n", len(names), time.Since(begin).Seconds())
	return s, nil
}

// build makes static programs of what the images have in them. They are linked with the
// C library, which everything else here is too, since without it all would be compiled
// once more. In the lab there is no network: everything comes from the module cache.
func (s *Stage) build(ctx context.Context) ([]node.Image, error) {
	var images []node.Image
	for _, b := range []struct{ reference, folder, program string }{
		{pauseImage, "benchmarks", "./lab/node/pause"},
		{memberImage, "benchmarks", "./nodes/member"},
		{controllerImage, ".", "./examples/controller"},
	} {
		to := filepath.Join(s.folder, filepath.Base(b.program))
		command := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w -linkmode external -extldflags -static", "-o", to, b.program)
		command.Dir = filepath.Join(root(), b.folder)
		command.Env = append(os.Environ(), "CGO_ENABLED=1", "GOPROXY=off", "GOWORK=off", "GOFLAGS=-buildvcs=false")
		if output, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("nodes: build %s: %w\n%s", b.program, err, output)
		}
		images = append(images, node.Image{Reference: b.reference, Program: to})
	}
	return images, nil
}

// prepare makes what the Pods need in the API, and watches the leases.
func (s *Stage) prepare(ctx context.Context) error {
	ca, err := os.ReadFile(filepath.Join(s.Lab.Dir(), "ca.crt"))
	if err != nil {
		return err
	}
	if err := s.prepareNamespace(ctx, namespace, string(ca)); err != nil {
		return err
	}
	leases := stage.Rule("coordination.k8s.io", "leases", "get", "create", "update", "watch")
	for account, rules := range map[string][]rbacv1.PolicyRule{
		contends: {leases},
		watches:  {leases, stage.Rule("", "pods", "watch")},
		lists:    {leases, stage.Rule("", "pods", "list")},
		bears:    {leases, stage.Rule("", "pods", "list", "watch"), stage.Rule("", "pods/status", "patch")},
	} {
		if err := stage.Make(ctx, s.config, stage.Rights(namespace, account, rules, stage.Account(namespace, account))...); err != nil {
			return err
		}
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.work.Go(func() { s.leases.watch(watching, s.api.CoordinationV1().Leases(metav1.NamespaceAll)) })
	return nil
}

func (s *Stage) prepareNamespace(ctx context.Context, name, ca string) error {
	return stage.Make(ctx, s.config, stage.Namespace(name),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: node.RootCA}, Data: map[string]string{"ca.crt": ca}})
}

// API is a client that may do everything.
func (s *Stage) API() kubernetes.Interface { return s.api }

// Close ends the nodes and the lab.
func (s *Stage) Close() error {
	s.stop()
	s.work.Wait()
	var errs []error
	for _, n := range s.Nodes {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	if s.Lab != nil {
		errs = append(errs, s.Lab.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.folder))...)
}
