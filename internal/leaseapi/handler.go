package leaseapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// maxBody bounds a request body; the API server's own bound is 3 MiB too.
const maxBody = 3 << 20

// handler is the HTTP side of an Endpoint. Bodies may be JSON, YAML, CBOR or
// protobuf, told apart by their content. Answers are always JSON, which every
// client of client-go accepts whatever else it asks for.
type handler struct {
	store    *Store
	endpoint *Endpoint
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := h.route(w, r); err != nil {
		answerError(w, err)
	}
}

// route finds out what a path means. Each verb either answers or returns an
// error, never both.
func (h *handler) route(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Path {
	case "/healthz", "/livez", "/readyz":
		_, _ = io.WriteString(w, "ok")
		return nil
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) == 4 && strings.HasPrefix(r.URL.Path, "/apis/coordination.k8s.io/v1/") && parts[3] == "leases":
		return h.collection(w, r, "")
	case len(parts) >= 6 && strings.HasPrefix(r.URL.Path, "/apis/coordination.k8s.io/v1/namespaces/") && parts[5] == "leases":
		switch len(parts) {
		case 6:
			return h.collection(w, r, parts[4])
		case 7:
			return h.single(w, r, types.NamespacedName{Namespace: parts[4], Name: parts[6]})
		}
	case len(parts) == 5 && strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/") && parts[4] == "events",
		len(parts) == 6 && strings.HasPrefix(r.URL.Path, "/apis/events.k8s.io/v1/namespaces/") && parts[5] == "events":
		if r.Method == http.MethodPost {
			return acceptEvent(w, r)
		}
		return apierrors.NewMethodNotSupported(schema.GroupResource{Resource: "events"}, r.Method)
	}
	return apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, schema.GroupResource{}, "",
		"the server could not find the requested resource", 0, true)
}

// collection answers what is asked of all leases, or of those in a namespace.
func (h *handler) collection(w http.ResponseWriter, r *http.Request, namespace string) error {
	if err := h.admit(r, namespace, ""); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet:
		query, err := parseQuery(r.URL.Query(), namespace)
		if err != nil {
			return err
		}
		if query.watch {
			return h.watch(w, r, query)
		}
		items, version := h.store.list(query.selection)
		answer(w, http.StatusOK, &coordinationv1.LeaseList{
			TypeMeta: metav1.TypeMeta{APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "LeaseList"},
			ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatUint(version, 10)},
			Items:    items,
		})
		return nil
	case http.MethodPost:
		if namespace == "" {
			return apierrors.NewMethodNotSupported(leaseResource, r.Method)
		}
		lease, err := readLease(r, namespace)
		if err != nil {
			return err
		}
		created, err := h.store.create(lease, h.endpoint.name)
		if err != nil {
			return err
		}
		h.answerWrite(w, r, http.StatusCreated, created)
		return nil
	default:
		return apierrors.NewMethodNotSupported(leaseResource, r.Method)
	}
}

// single answers what is asked of one lease.
func (h *handler) single(w http.ResponseWriter, r *http.Request, key types.NamespacedName) error {
	if err := h.admit(r, key.Namespace, key.Name); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet:
		lease, err := h.store.get(key)
		if err != nil {
			return err
		}
		answer(w, http.StatusOK, lease)
		return nil
	case http.MethodPut:
		lease, err := readLease(r, key.Namespace)
		if err != nil {
			return err
		}
		if lease.Name != key.Name {
			return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", lease.Name, key.Name))
		}
		result, created, written, err := h.store.update(lease, h.endpoint.name)
		switch {
		case err != nil:
			return err
		case created:
			h.answerWrite(w, r, http.StatusCreated, result)
		case written:
			h.answerWrite(w, r, http.StatusOK, result)
		default:
			answer(w, http.StatusOK, result)
		}
		return nil
	case http.MethodDelete:
		options, err := readDeleteOptions(r)
		if err != nil {
			return err
		}
		lease, err := h.store.remove(key, options.Preconditions, h.endpoint.name)
		if err != nil {
			return err
		}
		h.answerWrite(w, r, http.StatusOK, &metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
			Status:   metav1.StatusSuccess,
			Details:  &metav1.StatusDetails{Name: lease.Name, Group: leaseResource.Group, Kind: leaseResource.Resource, UID: lease.UID},
		})
		return nil
	default:
		return apierrors.NewMethodNotSupported(leaseResource, r.Method)
	}
}

// answerWrite answers a write that has been committed, unless that answer is to
// be lost; see Endpoint.DropAnswers.
func (h *handler) answerWrite(w http.ResponseWriter, r *http.Request, code int, object runtime.Object) {
	if h.endpoint.takeDrop() {
		muteConnOf(r.Context())
	}
	answer(w, code, object)
}

func readLease(r *http.Request, namespace string) (*coordinationv1.Lease, error) {
	kind := coordinationv1.SchemeGroupVersion.WithKind(leaseKind.Kind)
	object, err := decode(r, kind)
	if err != nil {
		return nil, err
	}
	lease, ok := object.(*coordinationv1.Lease)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the body holds a %T, not a Lease", object))
	}
	lease.TypeMeta = metav1.TypeMeta{APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: leaseKind.Kind}
	if lease.Namespace == "" {
		lease.Namespace = namespace
	}
	if lease.Namespace != namespace {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the namespace of the provided object (%s) does not match the namespace sent on the request (%s)",
			lease.Namespace, namespace))
	}
	return lease, nil
}

func readDeleteOptions(r *http.Request) (*metav1.DeleteOptions, error) {
	object, err := decode(r, metav1.SchemeGroupVersion.WithKind("DeleteOptions"))
	if errors.Is(err, errNoBody) {
		return &metav1.DeleteOptions{}, nil
	}
	if err != nil {
		return nil, err
	}
	options, ok := object.(*metav1.DeleteOptions)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the body holds a %T, not DeleteOptions", object))
	}
	return options, nil
}

// acceptEvent takes an Event and forgets it: recorders need to get rid of what
// they record, nobody here reads it.
func acceptEvent(w http.ResponseWriter, r *http.Request) error {
	object, err := decode(r, schema.GroupVersionKind{Version: "v1", Kind: "Event"})
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, object)
	return nil
}

// errNoBody says that a request came without a body, which is a bad request
// wherever one is needed.
var errNoBody error = apierrors.NewBadRequest("the request has no body")

func decode(r *http.Request, kind schema.GroupVersionKind) (runtime.Object, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("reading the body of %s %s: %v", r.Method, r.URL.Path, err))
	}
	if len(body) == 0 {
		return nil, errNoBody
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, &kind, nil)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("decoding the body of %s %s: %v", r.Method, r.URL.Path, err))
	}
	return object, nil
}

func answerError(w http.ResponseWriter, err error) {
	status := statusOf(err)
	answer(w, int(status.Code), status)
}

// statusOf is the Status that an API client gets for the error.
func statusOf(err error) *metav1.Status {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	body := status.Status()
	body.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return &body
}

func answer(w http.ResponseWriter, code int, object runtime.Object) {
	body, err := json.Marshal(object)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}
