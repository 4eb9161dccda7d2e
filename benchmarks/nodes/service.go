package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/endpointslice"
	"k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
)

// servePort is where a member that bears the leader's label answers.
const servePort = 8080

// proxyPaces are how often kube-proxy writes rules at most, on the nodes in turn: the default
// of Kubernetes, and a quick one.
var proxyPaces = []time.Duration{100 * time.Millisecond, time.Second}

// Serve has a Service lead to whoever bears the label of the play, and returns its
// address. kube-proxy runs on every node from the first call on, with the pace of
// proxyPaces, and endpoints are kept by what kube-controller-manager keeps them by,
// k8s.io/endpointslice.
func (p *Play) Serve(ctx context.Context) (string, error) {
	p.stage.serving.Do(func() { p.stage.servingErr = p.stage.serve(ctx) })
	if p.stage.servingErr != nil {
		return "", p.stage.servingErr
	}
	service, err := p.stage.api.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: p.name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{podlabel.DefaultKey: p.name},
			Ports:    []corev1.ServicePort{{Port: servePort}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(service.Spec.ClusterIP, fmt.Sprint(servePort)), nil
}

// serve starts kube-proxy on the nodes, and what keeps endpoints.
func (s *Stage) serve(ctx context.Context) error {
	kubeconfig, err := s.Lab.Kubeconfig("system:kube-proxy")
	if err != nil {
		return err
	}
	for i, n := range s.Nodes {
		if err := n.StartProxy(kubeconfig, proxyPaces[i%len(proxyPaces)]); err != nil {
			return err
		}
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	before := s.stop
	s.stop = func() { stop(); before() }
	return s.keepEndpoints(running)
}

// keepEndpoints keeps the EndpointSlices of the Services until ctx ends.
func (s *Stage) keepEndpoints(ctx context.Context) error {
	all := informers.NewSharedInformerFactory(s.api, 0)
	nodes, services := all.Core().V1().Nodes().Lister(), all.Core().V1().Services().Lister()
	pods, slices := all.Core().V1().Pods().Lister(), all.Discovery().V1().EndpointSlices().Lister()
	changed := make(chan struct{}, 1)
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for _, informer := range []cache.SharedIndexInformer{
		all.Core().V1().Nodes().Informer(), all.Core().V1().Services().Informer(),
		all.Core().V1().Pods().Informer(), all.Discovery().V1().EndpointSlices().Informer(),
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { tell() }, UpdateFunc: func(any, any) { tell() }, DeleteFunc: func(any) { tell() },
		}); err != nil {
			return err
		}
	}
	tracker := util.NewEndpointSliceTracker()
	reconciler := endpointslice.NewReconciler(s.api, nodes, 100, tracker, nil, &record.FakeRecorder{}, "endpointslice-controller.k8s.io")
	all.StartWithContext(ctx)
	all.WaitForCacheSync(ctx.Done())
	reconcile := func(service *corev1.Service) error {
		of, err := slices.EndpointSlices(service.Namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name}))
		if err != nil {
			return err
		}
		if tracker.StaleSlices(service, of) {
			return errors.New("what it has written itself is not seen yet")
		}
		selected, err := pods.Pods(service.Namespace).List(labels.SelectorFromSet(service.Spec.Selector))
		if err != nil {
			return err
		}
		return reconciler.Reconcile(klog.Background(), service, selected, of, time.Now())
	}
	s.work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			list, err := services.Services(namespace).List(labels.Everything())
			for _, service := range list {
				err = errors.Join(err, reconcile(service))
			}
			if err != nil {
				time.AfterFunc(poll, tell)
			}
		}
	})
	return nil
}

// A Visit is one connection to a Service, and who answered.
type Visit struct {
	At  time.Time
	Who string // empty: nobody
}

// visitEvery is the pause between two visits, visitPatience how long one waits.
const (
	visitEvery    = 5 * time.Millisecond
	visitPatience = 250 * time.Millisecond
)

// A Visitor asks a Service who answers, again and again, each time over a new connection.
type Visitor struct {
	from    *node.Node
	address string
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu     sync.Mutex
	visits []Visit
}

// VisitFrom has the node ask the address from now on, until Close.
func VisitFrom(from *node.Node, address string) *Visitor {
	ctx, cancel := context.WithCancel(context.Background())
	v := &Visitor{from: from, address: address, cancel: cancel}
	v.work.Go(func() {
		for ; ctx.Err() == nil; _ = stage.Pause(ctx, visitEvery) {
			v.once(ctx)
		}
	})
	return v
}

func (v *Visitor) once(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, visitPatience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return v.from.Host().Dial(ctx, network, address)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.address+"/", nil)
	if err != nil {
		return
	}
	who := ""
	if answer, err := client.Do(request); err == nil {
		body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		_ = answer.Body.Close()
		if err == nil && answer.StatusCode == http.StatusOK {
			who = strings.TrimSpace(string(body))
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.visits = append(v.visits, Visit{time.Now(), who})
}

// Close ends the visits.
func (v *Visitor) Close() {
	v.cancel()
	v.work.Wait()
}

// Visits are those so far.
func (v *Visitor) Visits() []Visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.visits)
}

// Reached waits until that process answers, and returns when it did first.
func (v *Visitor) Reached(ctx context.Context, who string) (at time.Time, err error) {
	return at, until(ctx, who+" to answer at "+v.address, func() (bool, error) {
		for _, visit := range v.Visits() {
			if visit.Who == who {
				at = visit.At
				return true, nil
			}
		}
		return false, nil
	})
}

// Both is for how long a client got answers of two: from the first of the later one to the
// last of anybody before. Zero is that no client ever did.
func Both(visits []Visit, later string) time.Duration {
	var first, last time.Time
	for _, v := range visits {
		switch {
		case v.Who == later && first.IsZero():
			first = v.At
		case v.Who != later && v.Who != "" && !first.IsZero():
			last = v.At
		}
	}
	return max(0, last.Sub(first))
}

// labelled is a member that bears the label while it leads, and answers then.
func (p *Play) labelled(m Member) Member {
	m.Peer = "label"
	m.Change = func(pod *corev1.Pod) {
		pod.Spec.RestartPolicy = corev1.RestartPolicyNever // a replica in its place would lead at once
		for i := range pod.Spec.Containers {
			c := &pod.Spec.Containers[i]
			c.Args = append(c.Args, "-label="+p.name, fmt.Sprintf("-serve=:%d", servePort))
			c.Env = append(c.Env, corev1.EnvVar{Name: "POD_UID", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.uid"}}})
			c.ReadinessProbe = nil
		}
		pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	}
	return m
}
