// Package status says what an error of the API tells of the state of things. It is
// for whoever must not take an intermediary's word for the API server's.
package status

import (
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Absent reports whether the error of a read says that the object does not exist. A
// 404 that is not in the API's words does not say so: a proxy without a backend
// answers it, and a server that does not serve the API group yet.
func Absent(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.IsUnexpectedServerError(err)
}

// Refused reports whether the error of a write says that it was not executed. An
// error of the server (5xx), or one that says it took too long (408), leaves that
// open, and so does one that is no answer.
func Refused(err error) bool {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return false
	}
	code := answer.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusRequestTimeout
}
