package podlabel

import (
	"encoding/json"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/internal/status"
)

// metadata is what a patch says of a Pod. Its UID and ResourceVersion are
// conditions: the API server refuses the patch where the Pod has others, the
// ResourceVersion as a conflict and the UID as a field that cannot be changed.
type metadata struct {
	UID             types.UID          `json:"uid,omitempty"`
	ResourceVersion string             `json:"resourceVersion,omitempty"`
	Labels          map[string]*string `json:"labels"`
}

// patch returns a merge patch (RFC 7396).
func patch(m metadata) []byte {
	document, err := json.Marshal(map[string]metadata{"metadata": m})
	if err != nil {
		panic(err) // strings and maps of strings are always encoded
	}
	return document
}

// putOn is the patch of the own Pod while it leads.
func (c Config) putOn() []byte {
	return patch(metadata{UID: c.UID, Labels: map[string]*string{c.Key: &c.Value}})
}

// takeOff is the patch of the own Pod when it does not lead any more.
func (c Config) takeOff() []byte {
	return patch(metadata{UID: c.UID, Labels: map[string]*string{c.Key: nil}})
}

// takeFrom is the patch of another Pod as it was listed. If it has changed since, it
// may lead again and is left to the next look.
func (c Config) takeFrom(uid types.UID, resourceVersion string) []byte {
	return patch(metadata{UID: uid, ResourceVersion: resourceVersion, Labels: map[string]*string{c.Key: nil}})
}

// isAnother reports whether a patch without a ResourceVersion was refused because the
// Pod that it was for is gone, be there another of its name or none.
func isAnother(err error) bool {
	if status.Absent(err) || apierrors.IsConflict(err) {
		return true
	}
	var answer apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &answer) || answer.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(answer.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}
