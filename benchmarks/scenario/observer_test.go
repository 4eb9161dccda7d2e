package scenario

import (
	"testing"

	"github.com/stretchr/testify/assert"
	coordinationv1 "k8s.io/api/coordination/v1"
)

func TestAManagersIdentityIsItsHosts(t *testing.T) {
	for identity, who := range map[string]string{
		"contender-1_0f6c1c1c-30a5-4d3a-9b8a-3a5c7bb2b1f4": "contender-1",
		"contender-1": "contender-1",
	} {
		e := write(&coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &identity}})
		assert.Equal(t, who, e.Holder)
	}
}
