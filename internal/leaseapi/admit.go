package leaseapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
)

// Request is what RBAC knows of a request.
type Request struct {
	// Verb is get, list, watch, create, update or delete.
	Verb string
	// Namespace is empty for a request on all namespaces.
	Namespace string
	// Name is empty for one on a whole collection. A list or watch that selects
	// a single Lease by metadata.name bears its name, as for the API server.
	Name string
}

// Forbid is the error with which Options.Admit refuses a request as RBAC does.
func (r Request) Forbid() error {
	return apierrors.NewForbidden(leaseResource, r.Name, fmt.Errorf("user %q cannot %s resource %q", "anyone", r.Verb, leaseResource.String()))
}

// admit asks Options.Admit, if there is one.
func (h *handler) admit(r *http.Request, namespace, name string) error {
	if h.store.options.Admit == nil {
		return nil
	}
	request := Request{Namespace: namespace, Name: name}
	switch r.Method {
	case http.MethodGet:
		request.Verb = "get"
		if name == "" {
			request.Verb, request.Name = collectionVerb(r)
		}
	case http.MethodPost:
		request.Verb = "create"
	case http.MethodPut:
		request.Verb = "update"
	case http.MethodDelete:
		request.Verb = "delete"
	}
	// A server notices that a client has gone only once the body has been read.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("reading the body of %s %s: %v", r.Method, r.URL.Path, err))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return h.store.options.Admit(r.Context(), request)
}

func collectionVerb(r *http.Request) (verb, name string) {
	verb = "list"
	if watch, _ := strconv.ParseBool(r.URL.Query().Get("watch")); watch {
		verb = "watch"
	}
	if selector, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector")); err == nil {
		name, _ = selector.RequiresExactMatch("metadata.name")
	}
	return verb, name
}
