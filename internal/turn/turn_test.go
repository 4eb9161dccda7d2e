package turn

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestATurnTellsWhatBecameOfTheCall(t *testing.T) {
	var turn Turn
	assert.False(t, turn.Waits() || turn.Waited() || turn.Missed(), "nothing is known")

	turn.Wait()
	assert.True(t, turn.Waits())
	assert.True(t, turn.Waited())
	assert.True(t, turn.Waited(), "it still does")
	turn.Send()
	assert.False(t, turn.Waits())
	assert.False(t, turn.Missed())

	turn.Wait()
	turn.Send()
	assert.True(t, turn.Waited(), "it has just been sent")
	assert.False(t, turn.Waited(), "that was a while ago")

	turn.Wait()
	turn.Miss()
	assert.False(t, turn.Waits())
	assert.False(t, turn.Missed(), "an earlier request of the call was sent")

	var other Turn
	other.Wait()
	other.Miss()
	assert.True(t, other.Missed())
}

func TestACallMaySayNothing(t *testing.T) {
	none := Of(t.Context())
	assert.Nil(t, none)
	assert.Equal(t, Renews, none.Ranked())
	none.Wait()
	none.Send()
	none.Miss()

	turn := &Turn{Rank: Looks}
	assert.Same(t, turn, Of(With(t.Context(), turn)))
	assert.Equal(t, Looks, turn.Ranked())
}
