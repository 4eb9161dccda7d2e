package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

const (
	// settle is how long a change waits for others to come with it, so that a
	// rollout of many Services costs a few writes instead of one each.
	settle = 200 * time.Millisecond
	// writeBound ends one write; the term's context may end it sooner.
	writeBound = 10 * time.Second
	// firstRetry and lastRetry bound the pause after a failed write, which
	// doubles with each failure.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Config is what a Publisher is made of. All fields are required.
type Config struct {
	// Client reads Services and the ConfigMap and writes the latter.
	Client kubernetes.Interface
	// Recorder records events on Services that cannot be published and on a
	// ConfigMap that is not ours.
	Recorder record.EventRecorder
	// Selector says which Services are published.
	Selector labels.Selector
	// Domain is the suffix of all names.
	Domain string
	// Target is where the block goes.
	Target Target
}

// Publisher keeps a ConfigMap in step with Services. Run has to be running for
// Lead to work; at most one Lead may run at a time.
type Publisher struct {
	config Config
	caches *caches
}

// New returns a Publisher, which starts nothing yet. The error names the field
// that is missing.
func New(config Config) (*Publisher, error) {
	switch {
	case config.Client == nil:
		return nil, errors.New("publish: Config.Client is nil")
	case config.Recorder == nil:
		return nil, errors.New("publish: Config.Recorder is nil")
	case config.Selector == nil:
		return nil, errors.New("publish: Config.Selector is nil")
	case config.Domain == "":
		return nil, errors.New("publish: Config.Domain is empty")
	case config.Target.Namespace == "" || config.Target.Name == "" || config.Target.Key == "" || config.Target.Owner == "":
		return nil, fmt.Errorf("publish: Config.Target = %+v: no field may be empty", config.Target)
	}
	return &Publisher{config: config, caches: newCaches(config.Client, config.Selector, config.Target)}, nil
}

// Run keeps the caches current until ctx is done, and returns when all it has
// started has ended. It may be called once.
func (p *Publisher) Run(ctx context.Context) { p.caches.run(ctx) }

// Synced reports whether the caches have been filled.
func (p *Publisher) Synced() bool { return p.caches.synced() }

// Lead writes the ConfigMap whenever it is not what the Services ask for, until
// ctx is done. It returns nil then, without waiting for anything that ctx does
// not end.
func (p *Publisher) Lead(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), p.Synced) {
		return nil // the term was over before the caches were full
	}
	queue := workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](firstRetry, lastRetry),
		workqueue.TypedRateLimitingQueueConfig[cache.ObjectName]{Name: "hosts"})
	defer queue.ShutDown()
	defer context.AfterFunc(ctx, queue.ShutDown)()

	key := cache.NewObjectName(p.config.Target.Namespace, p.config.Target.Name)
	stop, err := p.caches.notify(func() { queue.AddAfter(key, settle) })
	if err != nil {
		if ctx.Err() != nil {
			return nil // the caches may end with the term
		}
		return fmt.Errorf("leading: %w", err)
	}
	defer stop()
	queue.Add(key)

	work := reconciler{Publisher: p, reported: map[string]bool{}}
	for {
		key, closed := queue.Get()
		if closed || ctx.Err() != nil {
			return nil
		}
		work.next(ctx, queue, key)
	}
}

// next settles one entry of the queue: done, or again after a pause.
func (r *reconciler) next(ctx context.Context, queue workqueue.TypedRateLimitingInterface[cache.ObjectName], key cache.ObjectName) {
	defer queue.Done(key)
	writing, cancel := context.WithTimeoutCause(ctx, writeBound, fmt.Errorf("no answer within %v", writeBound))
	defer cancel()
	err := r.reconcile(writing)
	switch {
	case err == nil:
		queue.Forget(key)
	case ctx.Err() != nil:
		klog.FromContext(ctx).Info("Write given up because the term has ended", "configMap", key, "err", err)
	case errors.Is(err, ErrNotOwner):
		// Trying again would not help: the watch tells when it changes.
		queue.Forget(key)
		klog.FromContext(ctx).Error(err, "Refused to write", "configMap", key)
	case errors.Is(err, errBehind):
		queue.AddRateLimited(key)
		klog.FromContext(ctx).V(1).Info("Write lost against another, will try again", "configMap", key, "err", err)
	default:
		queue.AddRateLimited(key)
		klog.FromContext(ctx).Error(err, "Write failed, will try again", "configMap", key, "failures", queue.NumRequeues(key))
	}
}
