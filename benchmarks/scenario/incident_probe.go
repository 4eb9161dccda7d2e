package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/dialer"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// The environment of a probe's process. The first turns a program that calls
// ProbeMain into the probe of that kind.
const (
	probeKind       = "HOLDFAST_LAB_PROBE"
	probeName       = "HOLDFAST_LAB_PROBE_NAME"
	probeKubeconfig = "HOLDFAST_LAB_PROBE_KUBECONFIG"
	probeWithin     = "HOLDFAST_LAB_PROBE_WITHIN" // empty: the config as it is
)

// writePause is between an answer and the writer's next request.
const writePause = 100 * time.Millisecond

// ProbeMain returns at once in a program that was not started as a probe of the
// incident. In one that was it informs itself or writes until SIGTERM, and
// exits. Call it first in TestMain, before flags are parsed.
func ProbeMain() {
	kind := os.Getenv(probeKind)
	if kind == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := runProbe(ctx, kind, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runProbe is the probe, configured by the environment. It says Committed for
// each record of its Lease that it knows the API to hold, and Failed for what
// ended without an answer, streams included.
func runProbe(ctx context.Context, kind string, out io.Writer) error {
	name := os.Getenv(probeName)
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv(probeKubeconfig))
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind, name, err)
	}
	events := event.NewWriter(out)
	say := func(e event.Event) {
		e.Who = name
		if err := events.Write(e); err != nil {
			fmt.Fprintln(os.Stderr, "probe:", err)
			os.Exit(1) // a stream with a gap would give wrong figures
		}
	}
	config.Wrap(func(base http.RoundTripper) http.RoundTripper { return &failures{base: base, say: say} })
	if text := os.Getenv(probeWithin); text != "" {
		within, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s %s: bound %q: %w", kind, name, text, err)
		}
		if config, err = dialer.HardenTraffic(config, within); err != nil {
			return fmt.Errorf("%s %s: %w", kind, name, err)
		}
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind, name, err)
	}
	switch kind {
	case KindInformer:
		inform(ctx, client, name, say)
	case KindWriter:
		keepWriting(ctx, client, name, say)
	default:
		return fmt.Errorf("probe %q: must be %s or %s", kind, KindInformer, KindWriter)
	}
	return nil
}

// inform runs an informer of the one Lease: a watch without news, most of
// the time.
func inform(ctx context.Context, client kubernetes.Interface, name string, say func(event.Event)) {
	news := func(object any) {
		if lease, ok := object.(*coordinationv1.Lease); ok {
			e := stage.Write(lease)
			say(event.Event{What: event.Committed, Holder: e.Holder, RenewTime: e.RenewTime})
		}
	}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client.CoordinationV1().RESTClient(), "leases", namespace,
			fields.OneTermEqualSelector("metadata.name", name)),
		ObjectType: &coordinationv1.Lease{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    news,
			UpdateFunc: func(_, object any) { news(object) },
		},
	})
	informer.RunWithContext(ctx)
}

// keepWriting reads and updates the one Lease again and again, without a bound
// of its own, as a controller does.
func keepWriting(ctx context.Context, client kubernetes.Interface, name string, say func(event.Event)) {
	leases := client.CoordinationV1().Leases(namespace)
	for ctx.Err() == nil {
		now := metav1.NowMicro()
		lease, err := leases.Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			lease.Spec.RenewTime, lease.Spec.HolderIdentity = &now, &name
			_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
		}
		if err == nil {
			say(event.Event{What: event.Committed, Holder: name, RenewTime: now.Time})
		} else if ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Not written", "lease", klog.KRef(namespace, name))
		}
		select {
		case <-time.After(writePause):
		case <-ctx.Done():
		}
	}
}

// failures says what ended without an answer: requests, and the bodies of
// answers that go on for long.
type failures struct {
	base http.RoundTripper
	say  func(event.Event)
}

func (f *failures) WrappedRoundTripper() http.RoundTripper { return f.base }

func (f *failures) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	failed := func(err error) {
		f.say(event.Event{What: event.Failed, Verb: r.Method, Took: time.Since(sent), Reason: err.Error()})
	}
	answer, err := f.base.RoundTrip(r)
	if err != nil {
		failed(err)
		return answer, err
	}
	answer.Body = &body{ReadCloser: answer.Body, failed: failed}
	return answer, nil
}

// body reports the error that ends it.
type body struct {
	io.ReadCloser
	failed func(error)
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		b.failed(err)
	}
	return n, err
}
