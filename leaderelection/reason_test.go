package leaderelection

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEachReasonHasASentenceOfItsOwn(t *testing.T) {
	sentences := map[string]Reason{}
	for _, reason := range Reasons() {
		said := reason.ending().sentence(&TermEndedError{Reason: reason, Holder: "b"})
		assert.NotEmpty(t, said, reason)
		assert.NotContains(t, sentences, said, reason)
		sentences[said] = reason
	}
	assert.Contains(t, sentences, `taken by "b"`)
	assert.Contains(t, (&TermEndedError{Reason: "Tired", Lock: "ns/it"}).Error(), "Tired", "a reason that is none of ours is said as it is")
	assert.False(t, Reason("Tired").ending().alarming)
}
