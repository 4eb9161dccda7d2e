package leaseapi

import (
	"fmt"
	"strconv"

	coordinationv1 "k8s.io/api/coordination/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	leaseResource = coordinationv1.Resource("leases")
	leaseKind     = schema.GroupKind{Group: coordinationv1.GroupName, Kind: "Lease"}
)

// validateSpec is what the API server demands of a Lease's spec.
func validateSpec(spec *coordinationv1.LeaseSpec) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec")
	if seconds := spec.LeaseDurationSeconds; seconds != nil && *seconds <= 0 {
		errs = append(errs, field.Invalid(path.Child("leaseDurationSeconds"), *seconds, "must be greater than 0"))
	}
	if transitions := spec.LeaseTransitions; transitions != nil && *transitions < 0 {
		errs = append(errs, field.Invalid(path.Child("leaseTransitions"), *transitions, "must be greater than or equal to 0"))
	}
	if preferred := spec.PreferredHolder; preferred != nil && *preferred != "" &&
		(spec.Strategy == nil || *spec.Strategy == "") {
		errs = append(errs, field.Forbidden(path.Child("preferredHolder"), "may only be specified if `strategy` is defined"))
	}
	return errs
}

// validateNew is what the API server demands of a Lease to be created.
func validateNew(lease *coordinationv1.Lease) error {
	errs := validation.ValidateObjectMeta(&lease.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	errs = append(errs, validateSpec(&lease.Spec)...)
	if len(errs) > 0 {
		return apierrors.NewInvalid(leaseKind, lease.Name, errs)
	}
	return nil
}

// checkUpdate decides whether next may replace old, and fills in what a client
// may leave out (uid, creationTimestamp).
//
// A Lease may not be updated without a resourceVersion: the API server's
// strategy for leases forbids unconditional updates, unlike that of many other
// kinds. A kube-apiserver 1.37 was asked, its answers to these cases are the
// ones given here.
func checkUpdate(old, next *coordinationv1.Lease) error {
	if next.UID != "" && next.UID != old.UID {
		return conflict(old.Name, fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s", next.UID, old.UID))
	}
	if next.ResourceVersion == "" || next.ResourceVersion == "0" {
		return apierrors.NewInvalid(schema.GroupKind{Group: leaseResource.Group, Kind: leaseResource.Resource}, next.Name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "resourceVersion"), next.ResourceVersion, "must be specified for an update"),
		})
	}
	if _, err := strconv.ParseUint(next.ResourceVersion, 10, 64); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("metadata.resourceVersion %q is no number", next.ResourceVersion))
	}
	if next.ResourceVersion != old.ResourceVersion {
		return conflict(old.Name, fmt.Errorf("the object has been modified: the request is based on resourceVersion %s, the object is at %s",
			next.ResourceVersion, old.ResourceVersion))
	}
	next.UID = old.UID
	if next.CreationTimestamp.IsZero() {
		next.CreationTimestamp = old.CreationTimestamp
	}
	errs := validation.ValidateObjectMetaUpdate(&next.ObjectMeta, &old.ObjectMeta, field.NewPath("metadata"))
	errs = append(errs, validateSpec(&next.Spec)...)
	if len(errs) > 0 {
		return apierrors.NewInvalid(leaseKind, next.Name, errs)
	}
	return nil
}

// checkPreconditions decides whether a Lease may be deleted.
func checkPreconditions(lease *coordinationv1.Lease, want *metav1.Preconditions) error {
	if want == nil {
		return nil
	}
	if want.UID != nil && *want.UID != lease.UID {
		return conflict(lease.Name, fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s", *want.UID, lease.UID))
	}
	if want.ResourceVersion != nil && *want.ResourceVersion != lease.ResourceVersion {
		return conflict(lease.Name, fmt.Errorf("precondition failed: resourceVersion in precondition: %s, resourceVersion in object meta: %s",
			*want.ResourceVersion, lease.ResourceVersion))
	}
	return nil
}

// unchanged reports whether an update would change nothing, in which case the
// API server answers without a commit and the resourceVersion stays.
func unchanged(old, next *coordinationv1.Lease) bool {
	return apiequality.Semantic.DeepEqual(old, next)
}

func conflict(name string, err error) error {
	return apierrors.NewConflict(leaseResource, name, err)
}
