package leaderelection

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAnErrorIsExplainedByTheEndOfItsContextAlone(t *testing.T) {
	failed, why := errors.New("failed"), errors.New("why")
	live := t.Context()
	ended, end := context.WithCancelCause(live)
	end(why)
	assert.NoError(t, explain(live, nil))
	assert.NoError(t, explain(ended, nil))
	assert.Equal(t, failed, explain(live, failed))
	assert.Equal(t, why, explain(ended, why), "not twice")
	both := explain(ended, failed)
	assert.EqualError(t, both, "why: failed")
	assert.ErrorIs(t, both, failed)
	assert.ErrorIs(t, both, why)
}
