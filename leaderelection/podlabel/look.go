package podlabel

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/bounded"
	"github.com/holdfast-go/holdfast/internal/status"
	"github.com/holdfast-go/holdfast/leaderelection"
)

// look looks after the label until term ends, with calls that last as long as
// calling.
func (l *Label) look(term, calling context.Context) {
	logger := l.logger(term)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var pace pace
	borne, said := false, ""
	for {
		select {
		case <-term.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		err := l.settle(term, calling)
		switch {
		case term.Err() != nil:
			return
		case err != nil && err.Error() != said:
			said = err.Error()
			logger.Error(err, "The label is not where it belongs; trying again")
		case err == nil && (!borne || said != ""):
			borne, said = true, ""
			logger.Info("The Pod bears the label", "took", time.Since(began).Round(time.Millisecond))
		}
		timer.Reset(pace.next(err, l.config.Every))
	}
}

// settle makes this Pod the only one that bears the label, others first.
func (l *Label) settle(term, calling context.Context) error {
	bearers, err := l.bearers(calling)
	if err != nil {
		return err
	}
	alone := false
	for _, pod := range bearers {
		if l.own(pod) {
			alone = true
			continue
		}
		if err := mayWrite(term); err != nil {
			return err
		}
		if err := l.patch(calling, pod.Name, l.config.takeFrom(pod.UID, pod.ResourceVersion)); err != nil && !status.Absent(err) {
			return fmt.Errorf("taking it from the Pod %s: %w", pod.Name, err)
		}
		l.logger(term).Info("Took the label from another Pod", "from", pod.Name)
	}
	if alone {
		return nil
	}
	if err := mayWrite(term); err != nil {
		return err
	}
	if err := l.patch(calling, l.config.Pod, l.config.putOn()); err != nil {
		return fmt.Errorf("putting it on the Pod %s: %w", l.config.Pod, err)
	}
	return nil
}

// bearers returns the Pods that bear the label.
func (l *Label) bearers(ctx context.Context) ([]corev1.Pod, error) {
	list, err := call(ctx, l, func(ctx context.Context) (*corev1.PodList, error) {
		return l.config.Pods.List(ctx, metav1.ListOptions{LabelSelector: labels.Set{l.config.Key: l.config.Value}.String()})
	})
	if err != nil {
		return nil, fmt.Errorf("listing the Pods that bear it: %w", err)
	}
	return list.Items, nil
}

// own reports whether pod is this contender's.
func (l *Label) own(pod corev1.Pod) bool {
	return pod.Name == l.config.Pod && (l.config.UID == "" || pod.UID == l.config.UID)
}

// mayWrite returns why nothing may be written in the name of a term: it is over, or
// in doubt.
func mayWrite(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if term, ok := leaderelection.TermFromContext(ctx); ok {
		return term.Err()
	}
	return nil
}

// end takes the label off, and tries again until ctx ends.
func (l *Label) end(ctx context.Context) {
	logger, began := l.logger(ctx), time.Now()
	var pace pace
	for {
		err := l.Drop(ctx)
		if err == nil {
			logger.Info("The Pod does not bear the label any more", "took", time.Since(began).Round(time.Millisecond))
			return
		}
		timer := time.NewTimer(pace.next(err, l.config.Every))
		select {
		case <-ctx.Done():
			timer.Stop()
			logger.Error(err, "Could not take the label off; the next leader does")
			return
		case <-timer.C:
		}
	}
}

func (l *Label) logger(ctx context.Context) klog.Logger {
	return klog.FromContext(ctx).WithValues("pod", l.config.Pod, "label", l.config.label())
}

// patch patches the status of a Pod, through which labels can be written.
func (l *Label) patch(ctx context.Context, pod string, document []byte) error {
	_, err := call(ctx, l, func(ctx context.Context) (*corev1.Pod, error) {
		return l.config.Pods.Patch(ctx, pod, types.MergePatchType, document, metav1.PatchOptions{}, "status")
	})
	return err
}

// call makes a call within the bound, however deaf the client is to its end.
func call[T any](ctx context.Context, l *Label, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Bound, fmt.Errorf("no answer within %v", l.config.Bound))
	defer cancel()
	value, err := bounded.Do(ctx, ctx, &l.calls, f)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return value, err
}

// lasting returns a context that ends longer after ctx does, or when it is
// cancelled.
func lasting(ctx context.Context, longer time.Duration) (context.Context, context.CancelFunc) {
	outlasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(longer, cancel) })
	return outlasting, func() { stop(); cancel() }
}
