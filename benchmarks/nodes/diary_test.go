package nodes

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func at(ms int) time.Time { return time.Unix(0, int64(ms)*int64(time.Millisecond)) }

func term(from, to int) Term { return Term{at(from), at(to)} }

func TestADiaryIsReadUpToWhereItsWriterDied(t *testing.T) {
	text := "started 1000000\nleading 2000000\nwork 3000000\nstopped 4000000\nleading 5000000\nwork 6000000\nwork 70000"
	d, err := parseDiary("play1-one_a-XYZ", strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, Diary{"play1-one_a-XYZ", at(1), []Term{term(2, 4), term(5, 6)}}, d)
	assert.Equal(t, "play1-one", d.Pod())
	assert.Equal(t, "a", d.Container())
	for _, wrong := range []string{"work 1\n", "leading\n", "leading x\n", "sleeping 1\n"} {
		_, err := parseDiary("who", strings.NewReader(wrong))
		assert.Error(t, err, wrong)
	}
}

func TestWorkThatOverlapsIsSeen(t *testing.T) {
	for _, c := range []struct {
		a, b     Term
		overlaps bool
	}{
		{term(0, 10), term(11, 20), false},
		{term(11, 20), term(0, 10), false},
		{term(0, 10), term(10, 20), true},
		{term(0, 10), term(5, 6), true},
		{term(5, 6), term(0, 10), true},
		{term(0, 10), term(5, 20), true},
	} {
		diaries := []Diary{{Who: "a", Terms: []Term{c.a}}, {Who: "b", Terms: []Term{c.b}}}
		if err := Overlap(diaries); c.overlaps {
			assert.ErrorContains(t, err, "two work at once")
		} else {
			assert.NoError(t, err, c)
		}
	}
}

func TestWhoLeadsBeforeALeaseHasEndedIsSeen(t *testing.T) {
	held := []Record{{Holder: "a", Renewed: at(0), Duration: time.Second}, {Holder: "a", Renewed: at(500), Duration: time.Second}}
	for from, early := range map[int]bool{600: true, 1499: true, 1500: false, 2000: false} {
		diaries := []Diary{{Who: "a", Terms: []Term{term(10, 550)}}, {Who: "b", Terms: []Term{term(from, 3000)}}}
		records := append(held[:2:2], Record{Holder: "b", Renewed: at(from), Duration: time.Second})
		if err := Early(diaries, records); early {
			assert.ErrorContains(t, err, "b led")
		} else {
			assert.NoError(t, err, from)
		}
	}
	hidden := append(held[:2:2], Record{Holder: "b", Renewed: at(600), Duration: time.Second}, Record{Holder: "", Renewed: at(700), Duration: time.Second})
	assert.Error(t, Early([]Diary{{Who: "a", Terms: []Term{term(10, 550)}}, {Who: "b", Terms: []Term{term(600, 690)}}}, hidden))
	released := append(held[:2:2], Record{Holder: "", Renewed: at(560), Duration: time.Second}, Record{Holder: "b", Renewed: at(600), Duration: time.Second})
	assert.NoError(t, Early([]Diary{{Who: "a", Terms: []Term{term(10, 550)}}, {Who: "b", Terms: []Term{term(600, 900)}}}, released))
}
