package story

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rows returns the first cells of the tables of docs/behaviour.md, which name what
// differs.
func rows(t *testing.T) (names []string) {
	t.Helper()
	document, err := os.ReadFile("../../../docs/behaviour.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(document)) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| what |") {
			names = append(names, strings.TrimSpace(strings.Split(line, "|")[1]))
		}
	}
	require.NotEmpty(t, names)
	return names
}

// TestTheSameStory fails for a difference that the document does not name, and
// for one that it names and that does not occur.
func TestTheSameStory(t *testing.T) {
	shown, unplayed := map[string]bool{}, maps.Clone(differs)
	for _, scene := range scenes {
		t.Run(scene.name, func(t *testing.T) {
			one, other := perform(t, theirs, scene.play), perform(t, ours, scene.play)
			t.Logf("client-go:\n%s\nholdfast:\n%s", one, other)
			unnamed := missing(differences(one, other), differs[scene.name], shown)
			assert.Empty(t, strings.Join(unnamed, "\n"))
		})
		delete(unplayed, scene.name)
	}
	assert.Empty(t, unplayed, "scenes that are not played")
	for row := range everywhere {
		assert.True(t, shown[row], "%q does not occur", row)
	}
	named := rows(t)
	for name := range shown {
		assert.Contains(t, named, name, "what the story shows is a row of docs/behaviour.md")
	}
}

// missing takes away from the differences those that are named, and marks their
// rows. What is left is not named, or, with "not so: " before it, named and not
// there.
func missing(found []string, named map[string][]string, shown map[string]bool) (left []string) {
	left = append(left, found...)
	var wrong []string
	for row, lines := range named {
		for _, line := range lines {
			at := -1
			for i, l := range left {
				if l == line {
					at = i
					break
				}
			}
			if at < 0 {
				wrong = append(wrong, "not so: "+line)
				continue
			}
			left = append(left[:at], left[at+1:]...)
			shown[row] = true
		}
	}
	unnamed := left[:0]
	for _, line := range left {
		if line == unsettled {
			continue
		}
		isNamed := false
		for row, pattern := range everywhere {
			if pattern.MatchString(line) {
				isNamed, shown[row] = true, true
			}
		}
		if !isNamed {
			unnamed = append(unnamed, line)
		}
	}
	return append(unnamed, wrong...)
}

// The rows of the table.
const (
	endOfTerm      = "End of a term"
	lostWork       = "Lost term, ReleaseOnCancel set"
	taken          = "Lease taken by another"
	cancelRelease  = "Cancellation with ReleaseOnCancel"
	sameName       = "Restart under one identity"
	secondRun      = "Second Run of one elector"
	runAgain       = "Run again while work still stops"
	deleted        = "Lease deleted"
	noDuration     = "Lease with a holder and no duration"
	anewTerm       = "Run again when the work has stopped"
	emptied        = "Holder emptied by hand"
	edited         = "Lease edited by hand"
	lostAnswer     = "Answer to a write lost"
	standbys       = "Standbys"
	callsInOrder   = "OnNewLeader"
	noLeader       = "OnNewLeader at a release"
	blockedEvents  = "Recorder of events that blocks"
	endEvent       = "Event at the end of a term"
	cause          = "Cause of the work's context"
	isLeader       = "IsLeader"
	check          = "Health check"
	metricAtCancel = "Metric of the leader"
	slowPath       = "Metric of the slow path"
	logs           = "Levels of the log"
	firstRenewal   = "First renewal"
	mark           = "Mark of each write"
	acquireTime    = "acquireTime"
	storedShorter  = "Lease stored with a shorter duration, as by an admission webhook"
	wholeSeconds   = "Lease of a part of a second"
	utf8           = "Identity that is not UTF-8"
	shortRetry     = "Shortest durations"
)

// unsettled may differ and need not: where nobody answers, a call of the lock and
// the term end at the same moment, D and T after their beginnings.
const unsettled = "+ a metrics: slow path"

// everywhere has what differs in many scenes. (acquireTime is before renewTime by a
// random part of a millisecond, which may be none.)
var everywhere = map[string]*regexp.Regexp{
	mark:         regexp.MustCompile(`^\+ \w+ record: annotation holdfast-go.github.io/write$`),
	acquireTime:  regexp.MustCompile(`^[-+] \w+ record: acquireTime is not renewTime$`),
	firstRenewal: regexp.MustCompile(`^- \w+ calls: renews at once: 15 s, transitions \d$`),
	endEvent:     regexp.MustCompile(`^[-+] \w+ events: \w+ stopped leading(: \w+)?$`),
	cause:        regexp.MustCompile(`^(- \w+ cause: context canceled|\+ \w+ cause: TermEndedError \w+)$`),
}

// Several scenes have these.
var (
	termEnds   = []string{"+ a calls: the work's context ends", "+ a calls: OnStoppedLeading", "+ a calls: Run returns", "+ a calls: the work returns", "+ a metrics: off"}
	workFirst  = []string{"+ a calls: renews: 15 s, transitions 0", "+ a calls: the work returns", "- a calls: the work returns"}
	workLater  = []string{"+ a calls: the work returns", "- a calls: the work returns"}
	metricOff  = []string{"+ a metrics: off"}
	notLeading = []string{"- a facts: IsLeader true", "+ a facts: IsLeader false"}
	refusals   = []string{"- a log: error", "- a log: info"}
	aRefusal   = []string{"- a log: error"}
	settled    = []string{"+ a metrics: slow path"}
	laterHere  = []string{"- b facts: leads within 4.4s", "+ b facts: leads within 15.1s"}
	notMade    = []string{"+ a calls: refused", "- a metrics: off"}
)

// differs has what differs in single scenes: by row, the lines that only
// client-go's account (-) or only ours (+) has.
var differs = map[string]map[string][]string{
	"leads alone and is cancelled":                                {firstRenewal: {"- a facts: renews first within 100ms", "+ a facts: renews first within 2.1s"}, isLeader: notLeading, metricAtCancel: metricOff},
	"hands over":                                                  {cancelRelease: workLater, metricAtCancel: metricOff, standbys: {"- b facts: leads within 4.4s", "+ b facts: leads within 100ms"}},
	"hands over while a claim is refused":                         {cancelRelease: workFirst, metricAtCancel: metricOff, noLeader: {`- b calls: OnNewLeader("")`}},
	"has work that never returns":                                 {cancelRelease: {"- a calls: releases: 1 s, transitions 0", "+ a calls: renews: 15 s, transitions 0", "- a facts: Run returns within 100ms", "+ a facts: Run returns within 11s"}, metricAtCancel: metricOff},
	"is cancelled with a cause":                                   {cause: {"- a cause: the pod is drained"}, metricAtCancel: metricOff},
	"dies":                                                        {logs: refusals, standbys: {"- b facts: leads within 8.8s", "+ b facts: leads within 100ms"}},
	"is cut off, and its lease is stored shorter":                 {firstRenewal: {"- a calls: renews at once: 6 s, transitions 0"}, storedShorter: {"- a facts: its work is told within 15s", "+ a facts: its work is told within 6s"}},
	"is cut off, with a release":                                  {logs: append(aRefusal, refusals...), lostWork: {"- a facts: its work is told after more than 15s of its last renewal", "+ a facts: its work is told within 12s of its last renewal"}, check: {"- a facts: its health check passes: false", "+ a facts: its health check passes: true"}},
	"finds a holder without a duration":                           {noDuration: {"- a facts: leads within 100ms", "+ a facts: leads within 19.4s", `+ a calls: OnNewLeader("made by hand")`}},
	"has its Lease given a strategy":                              {logs: aRefusal, edited: {"- a facts: the strategy stays: false", "+ a facts: the strategy stays: true"}},
	"may release, but not renew":                                  {logs: refusals, lostWork: {"- a calls: releases: 1 s, transitions 0"}},
	"is answered late":                                            {endOfTerm: append(termEnds, notLeading...)},
	"loses the answer to a renewal":                               {lostAnswer: {"- a calls: renews: 15 s, transitions 0"}, logs: aRefusal},
	"has its Lease taken by hand":                                 {taken: {"- a facts: its work is told within 12s", "+ a facts: its work is told within 2s"}, slowPath: settled, logs: refusals},
	"has its Lease deleted":                                       {deleted: append(termEnds, "- a calls: creates: 15 s, transitions 0", "- a calls: renews: 15 s, transitions 0"), slowPath: settled, logs: aRefusal},
	"has its holder emptied by hand":                              {emptied: append(termEnds, "- a calls: renews: 15 s, transitions 1"), slowPath: settled, logs: aRefusal},
	"has its record edited by hand":                               {edited: {"- a calls: claims: 15 s, transitions 7", "- a calls: renews: 15 s, transitions 7"}, logs: aRefusal},
	"blocks in OnNewLeader":                                       {callsInOrder: {`- c calls: OnNewLeader("someone")`}},
	"has a recorder of events that blocks":                        {blockedEvents: {"+ a calls: OnStartedLeading", "+ a calls: renews: 15 s, transitions 0", "- a facts: does not lead", "+ a facts: leads within 30s", "+ a metrics: on"}},
	"has an identity that is no UTF-8":                            {utf8: notMade},
	"has a retry period of a millisecond":                         {shortRetry: notMade},
	"has a lease of 400 ms":                                       {shortRetry: notMade},
	"has its Lease deleted while it is cut off, beside a standby": {logs: refusals, deleted: laterHere},
	"has its holder emptied by hand, cut off, beside a standby":   {logs: refusals, emptied: laterHere},
	"is restarted under its name": {logs: refusals, slowPath: {"- again metrics: slow path"}, sameName: {
		"- again calls: renews: 15 s, transitions 0", "- again calls: renews: 15 s, transitions 0", "- again facts: leads within 0s",
		"+ again calls: claims: 15 s, transitions 1", "+ again calls: renews: 15 s, transitions 1", "+ again facts: leads within 15.1s",
	}},
	"runs again while its work still stops": {metricAtCancel: metricOff, runAgain: {
		"- a calls: OnStartedLeading", "- a calls: renews: 15 s, transitions 0", "- a calls: renews: 15 s, transitions 0", "- a calls: renews: 15 s, transitions 0",
		"+ a calls: OnStartedLeading", "+ a calls: claims: 15 s, transitions 1", "+ a calls: renews: 15 s, transitions 1", "+ a metrics: on",
	}},
	"runs again when its work has stopped": {metricAtCancel: append(metricOff, "+ a metrics: on"), anewTerm: {
		"- a calls: renews: 15 s, transitions 0", "- a calls: renews: 15 s, transitions 0", "+ a calls: claims: 15 s, transitions 1", "+ a calls: renews: 15 s, transitions 1",
	}},
	"has a lease of less than a second": {wholeSeconds: {
		"- a log: error", "+ a calls: creates: 1 s, transitions 0", `+ a calls: OnNewLeader("a")`, "+ a calls: OnStartedLeading",
		"+ a calls: renews: 1 s, transitions 0", "+ a events: a became leader", "+ a metrics: on", "+ a record: annotation holdfast-go.github.io/lease-duration",
	}},
	"runs twice at once": {secondRun: {"- a calls: OnStartedLeading", "+ a calls: Run returns", "+ a log: error"}},
}
