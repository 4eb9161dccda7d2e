package result

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// The measures there are.
const (
	// Failover: a fault, and what became of the lease. Case is the scenario.
	Failover = "failover"
	// Shortest: the shortest lease that holds. Timing is the one found.
	Shortest = "shortest-lease"
	// Rest: what contenders cost while nothing happens. Scale is how many contend
	// for one lease.
	Rest = "cost-at-rest"
	// Leases: what a process costs that holds many leases. Scale is how many.
	Leases = "cost-of-leases"
)

// Run says what was run, where, and with what: whatever a reviewer needs to do
// it again.
type Run struct {
	Command  string    `json:"command"`
	Seed     uint64    `json:"seed"`
	Began    time.Time `json:"began"`
	Machine  Machine   `json:"machine"`
	Versions Versions  `json:"versions"`
	// Budget is the time the run was allowed, empty if it was not limited.
	Budget string `json:"budget,omitempty"`
}

// Machine is where a run took place.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	Memory uint64 `json:"memoryBytes,omitempty"`
}

// Versions maps what was measured or used, by module path or program, to its
// version.
type Versions map[string]string

// Sample is one thing measured once.
type Sample struct {
	Measure string `json:"measure"`
	Peer    string `json:"peer"`
	// Case says under what: a scenario, a state.
	Case string `json:"case,omitempty"`
	// Timing is lease, renew deadline and retry period, such as "15s/10s/2s".
	Timing string `json:"timing,omitempty"`
	// Scale is how many of what the measure grows by; 0 where it does not.
	Scale int `json:"scale,omitempty"`
	// Round counts repetitions of the same thing, from 1.
	Round int `json:"round,omitempty"`
	// Figures are values by name; names carry units.
	Figures map[string]float64 `json:"figures,omitempty"`
	// Events is the stream that the figures were computed from, where it is kept.
	Events []event.Event `json:"events,omitempty"`
	// Failed says why there are no figures: the sample counts, and is shown as
	// failed.
	Failed string `json:"failed,omitempty"`
	// Limit names the laboratory's limit where one was reached.
	Limit string `json:"limit,omitempty"`
}
