package turn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestATurnTellsWhatBecameOfTheCall(t *testing.T) {
	var turn Turn
	assert.False(t, turn.Waits() || turn.Missed(), "nothing is known")
	assert.Zero(t, turn.Delay())

	turn.Wait()
	assert.True(t, turn.Waits())
	assert.Zero(t, turn.Delay(), "it still does")
	turn.Send(time.Second)
	assert.False(t, turn.Waits())
	assert.False(t, turn.Missed())

	turn.Wait()
	turn.Send(time.Second)
	assert.Equal(t, 2*time.Second, turn.Delay(), "of both requests")

	turn.Wait()
	turn.Miss()
	assert.False(t, turn.Waits())
	assert.False(t, turn.Missed(), "an earlier request of the call was sent")

	var other Turn
	other.Wait()
	assert.True(t, other.Missed(), "for who has gone before the call has come back")
	other.Miss()
	assert.True(t, other.Missed())
}

func TestACallMaySayNothing(t *testing.T) {
	none := Of(t.Context())
	assert.Nil(t, none)
	assert.Equal(t, Renews, none.Ranked())
	none.Wait()
	none.Send(0)
	none.Miss()

	turn := &Turn{Rank: Looks}
	assert.Same(t, turn, Of(With(t.Context(), turn)))
	assert.Equal(t, Looks, turn.Ranked())
}
