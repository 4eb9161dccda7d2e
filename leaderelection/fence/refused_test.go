package fence

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
)

func TestARefusalIsToldFromOthers(t *testing.T) {
	lease := types.NamespacedName{Namespace: "kube-system", Name: "my-controller"}
	denied := func(policy string) *apierrors.StatusError {
		message := fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: not its holder", policy, policy)
		err := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "it", errors.New(message))
		err.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: message}}
		return err
	}
	ours := denied(Policy(lease))
	assert.True(t, Refused(ours, lease))
	assert.True(t, Refused(fmt.Errorf("update it: %w", ours), lease))

	notFound := apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "it")
	assert.True(t, Refused(errors.Join(notFound, ours), lease), "behind another answer")
	assert.True(t, Refused(utilerrors.NewAggregate([]error{notFound, fmt.Errorf("update it: %w", ours)}), lease), "in a list of apimachinery's")
	assert.False(t, Refused(utilerrors.NewAggregate([]error{notFound, nil, errors.New("x")}), lease))

	ours.ErrStatus.Details = nil // as where a proxy has shortened it
	assert.True(t, Refused(ours, lease))

	quoting := denied("another")
	quoting.ErrStatus.Message += ", as ValidatingAdmissionPolicy '" + Policy(lease) + "' with its binding would be forbidden"
	quoting.ErrStatus.Details.Causes[0].Message = quoting.ErrStatus.Message
	missing := denied(Policy(lease))
	missing.ErrStatus.Code = 422 // no parameter
	for name, err := range map[string]error{
		"nothing":           nil,
		"another error":     errors.New(Policy(lease)),
		"another lease":     denied(Policy(types.NamespacedName{Namespace: "kube-system", Name: "my-controller-2"})),
		"another policy":    denied("fence-lease.kube-system.my-controller"),
		"one that quotes":   quoting,
		"RBAC":              apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "it", errors.New(`User "x" cannot update`)),
		"no parameter":      missing,
		"an object of that": apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, Policy(lease)),
	} {
		assert.False(t, Refused(err, lease), name)
	}
}

func TestAnIdentityHasThePodsNameAndUID(t *testing.T) {
	a, err := Identity("web-0", "0b7e3a6c-1111-4a60-9f6d-a7e16b4d1a0b")
	require.NoError(t, err)
	b, err := Identity("web-0", "0b7e3a6c-1111-4a60-9f6d-a7e16b4d1a0b")
	require.NoError(t, err)
	assert.NotEqual(t, a, b, "of two containers of one Pod")
	assert.True(t, strings.HasPrefix(a, "web-0_0b7e3a6c-1111-4a60-9f6d-a7e16b4d1a0b_"), a)
	assert.Len(t, strings.Split(a, "_"), 3)
	for _, c := range []struct{ pod, uid string }{{"", "u"}, {"a_b", "u"}, {"A", "u"}, {"a", ""}, {"a", "x_y"}, {"a", "x y"}} {
		_, err := Identity(c.pod, types.UID(c.uid))
		assert.Error(t, err, "%q %q", c.pod, c.uid)
	}
}
