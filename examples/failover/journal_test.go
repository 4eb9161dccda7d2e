package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAJournalForgetsWhatItNeedNotKeep(t *testing.T) {
	j := newJournal()
	j.keep = 10
	for i := range 95 {
		j.add(event{at: at(float64(i))})
	}
	events, reported, _ := j.after(0)
	assert.Equal(t, 95, reported, "what is forgotten is counted")
	assert.GreaterOrEqual(t, len(events), 10)
	assert.LessOrEqual(t, len(events), 20)
	assert.Equal(t, at(94), events[len(events)-1].at)

	events, reported, grown := j.after(93)
	assert.Equal(t, []event{{at: at(93)}, {at: at(94)}}, events)
	j.add(event{at: at(95)})
	<-grown
	events, reported, _ = j.after(reported)
	assert.Equal(t, []event{{at: at(95)}}, events)
	assert.Equal(t, 96, reported)
}
