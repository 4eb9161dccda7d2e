package witness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/death"
)

// podWatch looks at one Pod until it proves a death.
type podWatch struct {
	pods   corev1client.PodInterface
	of     death.PodTestimony
	seen   string        // the version from which the next watch goes on
	lasted time.Duration // of the last watch that was open
}

const (
	// watchOpens bounds the opening of a watch, which has no bound of its own.
	watchOpens = 10 * time.Second
	// watchLasts is how long a server is asked to keep a watch open. One whose
	// connection has died unseen is found dead by then.
	watchLasts = 5 * time.Minute
)

// once opens one watch and returns what it proves. It proves nothing when the watch
// has ended, which is an error, even if it is as usual; one that wraps ErrNoProof
// says that the Pod has gone without a proof.
//
// A watch that is opened at no version tells how the Pod is now and then what becomes
// of it, so that no other right is needed than to watch
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-watch).
func (w *podWatch) once(ctx context.Context) (evidence string, err error) {
	w.lasted = 0
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bound := time.AfterFunc(watchOpens, func() {
		cancel(fmt.Errorf("the API server has not answered within %v", watchOpens))
	})
	defer bound.Stop()
	lasts := watchLasts + rand.N(watchLasts/5)
	stream, err := w.pods.Watch(ctx, metav1.ListOptions{
		FieldSelector:       fields.OneTermEqualSelector(metav1.ObjectNameField, w.of.Pod).String(),
		ResourceVersion:     w.seen,
		AllowWatchBookmarks: true,
		TimeoutSeconds:      seconds(lasts),
	})
	if err != nil {
		w.forget(err)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", err
	}
	defer stream.Stop()
	bound.Stop()
	most := time.AfterFunc(lasts+watchOpens, func() {
		cancel(fmt.Errorf("the API server has not ended the watch after %v", lasts))
	})
	defer most.Stop()
	opened := time.Now()
	defer func() { w.lasted = time.Since(opened) }()
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case event, open := <-stream.ResultChan():
			if !open {
				return "", errors.New("the watch has ended")
			}
			if evidence, err := w.look(event); evidence != "" || err != nil {
				return evidence, err
			}
		}
	}
}

func seconds(d time.Duration) *int64 {
	s := int64(d / time.Second)
	return &s
}

// look returns what an event proves, or an error where no other event of this watch
// can.
func (w *podWatch) look(event watch.Event) (evidence string, err error) {
	if event.Type == watch.Error {
		err := apierrors.FromObject(event.Object)
		w.forget(err)
		return "", err
	}
	pod, isPod := event.Object.(*corev1.Pod)
	if !isPod {
		return "", fmt.Errorf("the watch of a Pod shows a %T", event.Object)
	}
	w.seen = pod.ResourceVersion
	if event.Type == watch.Bookmark {
		return "", nil
	}
	evidence, err = death.ByPod(w.of, pod)
	if err == nil {
		return evidence, nil
	}
	if event.Type == watch.Deleted && pod.UID == w.of.UID {
		return "", noProof("the Pod was deleted: %w", err)
	}
	return "", nil
}

// forget has the next watch begin anew, if the server does not know any more what
// came after the version that was seen, or never knew the version.
func (w *podWatch) forget(err error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) ||
		apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		w.seen = ""
	}
}

// refused tells a missing right from what may pass.
func refused(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// say tells the log why the Pod cannot be seen.
func (p *Pod) say(ctx context.Context, t death.PodTestimony, err error) {
	log := klog.FromContext(ctx)
	if refused(err) {
		p.once.Do(func() {
			log.Info("The holder's Pod may not be watched, so its death is not proven by it and its lease is waited for: grant watch on pods",
				"namespace", t.Namespace, "pod", t.Pod, "err", err)
		})
		return
	}
	log.V(2).Info("The watch of the holder's Pod ended; watching anew", "namespace", t.Namespace, "pod", t.Pod, "err", err)
}
