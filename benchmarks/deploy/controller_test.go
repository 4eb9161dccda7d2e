package deploy_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/leaderelection/options"
)

const (
	// Replicas run with this profile; lease is its LeaseDuration.
	profile = options.FastProfile
	lease   = 3 * time.Second

	// soon is for what must happen, broke for what must not; slow is for what
	// takes an informer without a watch, which lists anew after 30 s and more.
	soon  = 30 * time.Second
	broke = 8 * time.Second
	slow  = 150 * time.Second
	often = 50 * time.Millisecond
)

// step is something that the controller does; each waits for the one before.
type step string

const (
	leads         step = "takes the lease"
	keepsTheLease step = "renews the lease"
	publishes     step = "publishes a Service in a new ConfigMap"
	follows       step = "publishes another Service in that ConfigMap"
	warns         step = "warns by an event of a Service that cannot be published"
	counts        step = "counts that event when it comes again"
)

var steps = []step{leads, keepsTheLease, publishes, follows, warns, counts}

// controller is the example, deployed in a namespace of its own.
type controller struct {
	t          *testing.T
	lab        *lab.Lab
	api        kubernetes.Interface
	program    string
	namespace  string
	kubeconfig string
	env, flags []string
	replicas   []*replica
	renewed    map[time.Time]bool
	done       map[step]bool
}

type replica struct {
	process *lab.Process
	name    string
	log     labtest.Log
}

// deployed starts one replica of the controller, with these rights and flags. Its
// informers stream their lists or ask for them.
func deployed(t *testing.T, namespace string, r rules, streams bool, flags ...string) *controller {
	l, program := laboratory(t)
	api, config, err := l.Observer(0)
	require.NoError(t, err)
	kubeconfig, err := l.Kubeconfig(grant(t, api, config, namespace, r))
	require.NoError(t, err)
	c := &controller{t: t, lab: l, api: api, program: program, namespace: namespace, kubeconfig: kubeconfig,
		env:     []string{fmt.Sprintf("KUBE_FEATURE_WatchListClient=%t", streams)},
		flags:   flags,
		renewed: map[time.Time]bool{}, done: map[step]bool{}}
	c.service("first", "")
	c.start()
	return c
}

func (c *controller) start() *replica {
	r := &replica{name: fmt.Sprintf("%s-%d", c.namespace, len(c.replicas))}
	host, err := c.lab.NewHost(r.name)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { assert.NoError(c.t, host.Close()) }) // ends the process too
	r.process, err = host.Start(lab.Command{Path: c.program, Env: c.env, Stdout: &r.log, Stderr: &r.log, Args: append([]string{
		"-kubeconfig=" + c.kubeconfig, "-namespace=" + c.namespace, "-leader-elect-resource-namespace=" + c.namespace, "-selector=" + c.label(), "-health-address=", "-v=2",
		"-leader-elect-profile=" + string(profile),
	}, c.flags...)})
	require.NoError(c.t, err)
	c.replicas = append(c.replicas, r)
	return r
}

// within reports whether the controller does s in that time.
func (c *controller) within(s step, limit time.Duration) bool {
	if !c.done[s] {
		c.done[s] = true
		c.prepare(s)
	}
	for end := time.Now().Add(limit); ; time.Sleep(often) {
		if c.did(s) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// prepare does what the controller is to react to.
func (c *controller) prepare(s step) {
	switch s {
	case follows:
		c.service("second", "")
	case warns:
		c.service("headless", corev1.ClusterIPNone)
	case counts:
		// The Service is published no longer, then again. In between another one
		// shows that the first change has been seen.
		c.relabel("headless", "null")
		c.service("between", "")
		require.Eventually(c.t, func() bool { return c.published("between") }, slow, often, "never published:\n%s", c.log())
		c.relabel("headless", `"true"`)
	}
}

func (c *controller) did(s step) bool {
	ctx := c.t.Context()
	switch s {
	case leads:
		return strings.HasPrefix(c.holder(ctx), c.replicas[0].name+"_")
	case keepsTheLease:
		object, err := c.api.CoordinationV1().Leases(c.namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && object.Spec.RenewTime != nil {
			c.renewed[object.Spec.RenewTime.Time] = true
		}
		return len(c.renewed) > 2
	case publishes:
		return c.published("first")
	case follows:
		return c.published("second")
	case warns:
		return c.warnings(ctx) > 0
	case counts:
		return c.warnings(ctx) > 1
	}
	return false
}

// handsOver has a second replica take over from the first, which is told to end.
func (c *controller) handsOver(t *testing.T) {
	other := c.start()
	require.Eventually(t, func() bool { return strings.Contains(other.log.String(), "Leader seen") }, soon, often, "%s stands not by:\n%s", other.name, &other.log)
	told := time.Now()
	require.NoError(t, c.replicas[0].process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return strings.HasPrefix(c.holder(t.Context()), other.name+"_") }, soon, often, "%s never led:\n%s", other.name, &other.log)
	took := time.Since(told)
	t.Logf("figure: rights: %s: %v from SIGTERM until the other replica held the lease (polled every %v)", t.Name(), took.Round(time.Millisecond), often)
	assert.Less(t, took, lease, "the lease ran out instead of being released")
}

func (c *controller) holder(ctx context.Context) string {
	object, err := c.api.CoordinationV1().Leases(c.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil || object.Spec.HolderIdentity == nil {
		return ""
	}
	return *object.Spec.HolderIdentity
}

// published reports whether the ConfigMap names the Service.
func (c *controller) published(service string) bool {
	object, err := c.api.CoreV1().ConfigMaps(c.namespace).Get(c.t.Context(), name, metav1.GetOptions{})
	return err == nil && strings.Contains(object.Data["services.override"], " "+service+"."+c.namespace+".")
}

// warnings returns how often the API has been told of the headless Service.
func (c *controller) warnings(ctx context.Context) (n int32) {
	events, err := c.api.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=headless,reason=NoClusterIP"})
	if err != nil {
		return 0
	}
	for _, event := range events.Items {
		n += event.Count
	}
	return n
}

func (c *controller) service(service, clusterIP string) {
	key, value, _ := strings.Cut(c.label(), "=")
	_, err := c.api.CoreV1().Services(c.namespace).Create(c.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: service, Labels: map[string]string{key: value}},
		Spec:       corev1.ServiceSpec{ClusterIP: clusterIP, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(c.t, err)
}

func (c *controller) relabel(service, value string) {
	key, _, _ := strings.Cut(c.label(), "=")
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%s}}}`, key, value)
	_, err := c.api.CoreV1().Services(c.namespace).Patch(c.t.Context(), service, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(c.t, err)
}

// label selects this deployment's Services among those of the others, since the
// controller looks into all namespaces.
func (c *controller) label() string { return "publish-" + c.namespace + "=true" }

func (c *controller) log() string {
	var all strings.Builder
	for _, r := range c.replicas {
		fmt.Fprintf(&all, "%s:\n%s", r.name, &r.log)
	}
	return strings.ReplaceAll(all.String(), `\"`, `"`) // klog quotes what API servers say
}
