package hosts

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Reasons of a Problem. They are the reasons of the events that report it, so
// they are part of what users see and filter by.
const (
	// ReasonNoClusterIP: the Service is headless, of type ExternalName, or has
	// no usable address yet. None of it is published.
	ReasonNoClusterIP = "NoClusterIP"
	// ReasonInvalidName: a name is no DNS name. It is not published; the
	// Service's other names are.
	ReasonInvalidName = "InvalidName"
	// ReasonForeignName: an extra name does not lie under the domain. It is not
	// published; the Service's other names are.
	ReasonForeignName = "ForeignName"
	// ReasonNameTaken: an extra name belongs to another Service. It is not
	// published here; the Service's other names are.
	ReasonNameTaken = "NameTaken"
)

// Problem says what of a Service is not published, and why.
type Problem struct {
	// Service is the one that Build was given; it must not be changed.
	Service *corev1.Service
	// Reason is one of the Reason constants.
	Reason string
	// Message is a sentence for the Service's owner.
	Message string
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Service.Namespace, b.Service.Namespace),
			cmp.Compare(a.Service.Name, b.Service.Name),
			cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.Message, b.Message),
		)
	})
}
