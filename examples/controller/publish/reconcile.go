package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/examples/controller/hosts"
)

// fieldManager is the name under which the API server records our writes.
const fieldManager = ManagedBy

// reasonNotOwner is the reason of the event on a ConfigMap that is not ours.
const reasonNotOwner = "NotOwner"

// errBehind is the error of a write that was based on what is no longer so.
var errBehind = errors.New("the cache is behind")

// reconciler does the work of one term, on one goroutine.
type reconciler struct {
	*Publisher
	// reported holds what events have said and what is still true, so that an
	// event is recorded when something becomes true and not with every change.
	reported map[string]bool
}

// reconcile makes the ConfigMap what the Services in the cache ask for. It
// works on the caches only: if they are behind, the write fails as a conflict
// and what the watch brings next starts another attempt.
func (r *reconciler) reconcile(ctx context.Context) error {
	began := time.Now()
	services, current := r.caches.services.all(), r.caches.configMap()
	table := hosts.Build(services, r.config.Domain)
	next, what, err := r.config.Target.want(current, table.Block())
	r.report(table.Problems, current, err)
	if err != nil {
		return err
	}

	target := r.config.Client.CoreV1().ConfigMaps(r.config.Target.Namespace)
	var written *corev1.ConfigMap
	switch what {
	case nothing:
		return nil
	case create:
		written, err = target.Create(ctx, next, metav1.CreateOptions{FieldManager: fieldManager})
	case update:
		written, err = target.Update(ctx, next, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	switch {
	case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err):
		return fmt.Errorf("%s of ConfigMap %s/%s: %w: %w", what, next.Namespace, next.Name, errBehind, err)
	case err != nil:
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w (%w)", err, cause)
		}
		return fmt.Errorf("%s of ConfigMap %s/%s: %w", what, next.Namespace, next.Name, err)
	}
	klog.FromContext(ctx).Info("Hosts written", "action", string(what), "configMap", klog.KObj(written), "services", len(services),
		"lines", len(table.Entries), "problems", len(table.Problems), "resourceVersion", written.ResourceVersion, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// report records events for what has become true since the last call.
func (r *reconciler) report(problems []hosts.Problem, current *corev1.ConfigMap, refusal error) {
	now := map[string]bool{}
	warn := func(object metav1.ObjectMeta, kind, reason, message string) {
		key := string(object.UID) + "\n" + object.Namespace + "/" + object.Name + "\n" + reason + "\n" + message
		if now[key] = true; r.reported[key] {
			return
		}
		r.config.Recorder.Event(&corev1.ObjectReference{
			APIVersion: corev1.SchemeGroupVersion.String(), Kind: kind,
			Namespace: object.Namespace, Name: object.Name, UID: object.UID, ResourceVersion: object.ResourceVersion,
		}, corev1.EventTypeWarning, reason, message)
	}
	for _, problem := range problems {
		warn(problem.Service.ObjectMeta, "Service", problem.Reason, problem.Message)
	}
	if refusal != nil && current != nil {
		warn(current.ObjectMeta, "ConfigMap", reasonNotOwner, refusal.Error())
	}
	r.reported = now
}
