package scenario

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAHolderIsTheCopyWhoseHostItNames(t *testing.T) {
	i := identities{names: []string{"contender-1", "contender-2"}}
	assert.Equal(t, "contender-2", i.of("contender-2_0f6c1c1c-30a5-4d3a-9b8a-3a5c7bb2b1f4"))
	assert.Equal(t, "contender-1", i.of("contender-1"))
}

func TestAnIdentityThatNamesNoHostIsTheCopysThatCanHaveIt(t *testing.T) {
	i := identities{names: []string{"contender-1", "contender-2"}}
	assert.Equal(t, "contender-1", i.of("7d1c"), "the first runs alone")
	assert.Equal(t, "contender-2", i.of("a2f0"))
	assert.Equal(t, "contender-1", i.of("7d1c"))
	assert.Equal(t, "contender-2", i.of("b3e1"), "the second, under a new identity")
}

func TestAPeersIdentityIsItsHosts(t *testing.T) {
	var i identities
	assert.Equal(t, "member-7", i.of("member-7_0f6c"))
}
