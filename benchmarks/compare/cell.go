package compare

import (
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// Cell is one thing to be played.
type Cell struct {
	Peer, Scenario string
	Timing         scenario.Timing
}

// String is "client-go, kill, 3s/2s/500ms".
func (c Cell) String() string { return fmt.Sprintf("%s, %s, %v", c.Peer, c.Scenario, c.Timing) }

// Selection is what is compared: each peer in each scenario with each timing.
type Selection struct {
	Peers, Scenarios []string
	Timings          []scenario.Timing
}

// NotApplicable begins the Limit of the sample of a cell that a peer cannot
// play.
const NotApplicable = "not applicable: "

// Inapplicable is a cell that its peer cannot play, and why.
type Inapplicable struct {
	Cell
	Reason string
}

// Cells divides the selection into what can be played and what cannot.
func (s Selection) Cells() (playable []Cell, not []Inapplicable) {
	for _, t := range s.Timings {
		for _, name := range s.Scenarios {
			for _, peer := range s.Peers {
				c := Cell{Peer: peer, Scenario: name, Timing: t}
				if why := c.inapplicable(); why != "" {
					not = append(not, Inapplicable{Cell: c, Reason: why})
				} else {
					playable = append(playable, c)
				}
			}
		}
	}
	return playable, not
}

// withoutAPI are the scenarios that mean something to a peer that does not use
// the Kubernetes API: those that harm the leader.
var withoutAPI = []string{"node-death", "kill", "handover"}

// inapplicable says why the cell cannot be played, and nothing if it can.
func (c Cell) inapplicable() string {
	if err := contender.Refuses(c.Peer, c.Timing); err != nil {
		return err.Error()
	}
	if !contender.UsesAPI(c.Peer) && !slices.Contains(withoutAPI, c.Scenario) {
		return "what is harmed is an API server or the virtual IP, and this peer uses neither; etcd is one member here, and its failure would be everyone's"
	}
	return ""
}
