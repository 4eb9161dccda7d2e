package leaseapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// bookmarkEvery is how often a watch that allows bookmarks gets one while
// nothing else happens; the API server takes about a minute too.
const bookmarkEvery = time.Minute

// query is what a list or watch asks for.
type query struct {
	selection
	watch     bool
	bookmarks bool
	// initial asks for the present Leases as events before all others, ended by
	// an annotated bookmark if marked is set.
	initial bool
	marked  bool
	version uint64
	timeout time.Duration // zero: none
}

// parseQuery reads the query of a GET on a collection. Its errors are what the
// API server answers.
func parseQuery(values url.Values, namespace string) (query, error) {
	q := query{selection: selection{namespace: namespace}}
	var err error
	if q.fields, err = fields.ParseSelector(values.Get("fieldSelector")); err != nil {
		return q, apierrors.NewBadRequest(fmt.Sprintf("fieldSelector %q: %v", values.Get("fieldSelector"), err))
	}
	for _, requirement := range q.fields.Requirements() {
		if f := requirement.Field; f != "metadata.name" && f != "metadata.namespace" {
			return q, apierrors.NewBadRequest(fmt.Sprintf("%q is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", f))
		}
	}
	if q.labels, err = labels.Parse(values.Get("labelSelector")); err != nil {
		return q, apierrors.NewBadRequest(fmt.Sprintf("labelSelector %q: %v", values.Get("labelSelector"), err))
	}
	if q.watch, err = parseBool(values, "watch"); err != nil {
		return q, err
	}
	if q.bookmarks, err = parseBool(values, "allowWatchBookmarks"); err != nil {
		return q, err
	}
	if q.marked, err = parseBool(values, "sendInitialEvents"); err != nil {
		return q, err
	}
	if version := values.Get("resourceVersion"); version != "" {
		if q.version, err = strconv.ParseUint(version, 10, 64); err != nil {
			return q, apierrors.NewInternalError(fmt.Errorf("resourceVersion %q is no number", version))
		}
	}
	if seconds := values.Get("timeoutSeconds"); seconds != "" {
		n, err := strconv.ParseUint(seconds, 10, 31)
		if err != nil {
			return q, apierrors.NewBadRequest(fmt.Sprintf("timeoutSeconds %q is no whole number of seconds", seconds))
		}
		q.timeout = time.Duration(n) * time.Second
	}
	match := metav1.ResourceVersionMatch(values.Get("resourceVersionMatch"))
	if q.watch && q.marked && match != metav1.ResourceVersionMatchNotOlderThan {
		return q, apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", field.ErrorList{
			field.Forbidden(field.NewPath("resourceVersionMatch"), "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
		})
	}
	q.initial = q.version == 0 && !values.Has("sendInitialEvents") || q.marked
	return q, nil
}

func parseBool(values url.Values, name string) (bool, error) {
	text := values.Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, apierrors.NewBadRequest(fmt.Sprintf("%s %q is neither true nor false", name, text))
	}
	return value, nil
}

// watch streams changes until the client goes, the asked-for time is over, or
// what comes next has been forgotten. The last is told by an event in a stream
// that answers 200, as the API server does.
func (h *handler) watch(w http.ResponseWriter, r *http.Request, q query) error {
	ctx := r.Context()
	if q.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.timeout)
		defer cancel()
	}
	stream := &eventStream{w: w, flusher: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)

	version := q.version
	if q.initial {
		var items []coordinationv1.Lease
		items, version = h.store.list(q.selection)
		for i := range items {
			stream.send(watch.Added, &items[i])
		}
		if q.marked && q.bookmarks {
			stream.send(watch.Bookmark, bookmark(version, map[string]string{metav1.InitialEventsAnnotationKey: "true"}))
		}
	} else if version == 0 {
		_, version = h.store.list(q.selection)
	}
	stream.flush()

	ticker := time.NewTicker(bookmarkEvery)
	defer ticker.Stop()
	for stream.err == nil {
		changes, next, grown, err := h.store.since(version)
		if err != nil {
			stream.fail(err)
			break
		}
		version = next
		for _, c := range changes {
			if event, ok := q.project(c); ok {
				stream.send(event.Type, event.Object)
			}
		}
		if len(changes) > 0 {
			stream.flush()
			continue
		}
		select {
		case <-grown:
		case <-ticker.C:
			if q.bookmarks {
				stream.send(watch.Bookmark, bookmark(version, nil))
				stream.flush()
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func bookmark(version uint64, annotations map[string]string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{}
	lease.APIVersion, lease.Kind = coordinationv1.SchemeGroupVersion.String(), leaseKind.Kind
	lease.ResourceVersion = strconv.FormatUint(version, 10)
	lease.Annotations = annotations
	return lease
}

// eventStream writes watch events; after its first error it writes no more.
type eventStream struct {
	w       http.ResponseWriter
	flusher *http.ResponseController
	err     error
}

func (s *eventStream) send(kind watch.EventType, object runtime.Object) {
	if s.err != nil {
		return
	}
	s.err = json.NewEncoder(s.w).Encode(metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Object: object}})
}

// fail ends the stream with the error as its last event.
func (s *eventStream) fail(err error) {
	s.send(watch.Error, statusOf(err))
	s.flush()
}

func (s *eventStream) flush() {
	if s.err == nil {
		s.err = s.flusher.Flush()
	}
}
