package status_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-go/holdfast/internal/status"
)

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

func TestOnlyTheAPISaysThatAnObjectIsAbsent(t *testing.T) {
	assert.True(t, status.Absent(apierrors.NewNotFound(leases, "it")))
	assert.True(t, status.Absent(fmt.Errorf("reading: %w", apierrors.NewNotFound(leases, "it"))))
	assert.False(t, status.Absent(apierrors.NewGenericServerResponse(404, "get", leases, "it", "404 page not found", 0, true)), "of a proxy")
	assert.False(t, status.Absent(nil))
	assert.False(t, status.Absent(errors.New("not found")))
}

func TestOnlyARefusalSaysThatAWriteWasNotExecuted(t *testing.T) {
	for _, err := range []error{
		apierrors.NewForbidden(leases, "it", errors.New("no")), apierrors.NewConflict(leases, "it", errors.New("no")),
		apierrors.NewAlreadyExists(leases, "it"), apierrors.NewTooManyRequestsError("later"), apierrors.NewBadRequest("what"),
	} {
		assert.True(t, status.Refused(err), "%v", err)
	}
	for _, err := range []error{
		nil, errors.New("reset"), apierrors.NewTimeoutError("etcd", 1), apierrors.NewInternalError(errors.New("etcd")),
		apierrors.NewServerTimeout(leases, "update", 1), apierrors.NewServiceUnavailable("no"),
		apierrors.NewGenericServerResponse(408, "put", leases, "it", "", 0, true),
	} {
		assert.False(t, status.Refused(err), "%v", err)
	}
}
