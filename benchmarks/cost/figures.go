package cost

import (
	"fmt"
	"strings"
	"time"
)

// The names of figures; see the package comment.
const (
	Requests          = "requests_per_minute"
	LeaderRequests    = "leader_requests_per_minute"
	StandbyRequests   = "standby_requests_per_minute"
	ReceivedBytes     = "received_bytes_per_minute"
	SentBytes         = "sent_bytes_per_minute"
	CPU               = "cpu_seconds_per_minute"
	LeaderCPU         = "leader_cpu_seconds_per_minute"
	StandbyCPU        = "standby_cpu_seconds_per_minute"
	ResidentContender = "resident_bytes_per_contender"
	Connections       = "connections"
	Handshakes        = "handshakes_per_minute"
	HeapLease         = "heap_bytes_per_lease"
	StackLease        = "stack_bytes_per_lease"
	Processes         = "processes"
	Window            = "window_seconds"
	RefusedTotal      = "refused_total"
	LostTotal         = "lost_total"
	Busy              = "busy_ratio"
)

// span is a crowd at both ends of the window.
type span struct{ before, after Reading }

// perMinute returns what a counter that grew by n in the span's time grows by in
// a minute.
func (s span) perMinute(n float64) float64 {
	took := s.after.Since - s.before.Since
	if took <= 0 {
		return 0
	}
	return n * float64(time.Minute) / float64(took)
}

// window is all that was read at both ends of a window.
type window struct {
	// crowds begin with the leader's, where all contend for one lease.
	crowds []span
	// took is the time between the two readings of the API servers.
	took   time.Duration
	served served
	busy   float64
}

// common returns the figures that both measures have.
func (w window) common() map[string]float64 {
	f := map[string]float64{
		Processes:    float64(len(w.crowds)),
		Window:       w.took.Seconds(),
		RefusedTotal: w.served.rejected,
		Busy:         w.busy,
	}
	if w.took > 0 {
		f[Requests] = w.served.dispatched * float64(time.Minute) / float64(w.took)
	}
	contenders := 0
	for _, s := range w.crowds {
		was, is := s.before, s.after
		f[ReceivedBytes] += s.perMinute(float64(is.Network.ReceivedBytes) - float64(was.Network.ReceivedBytes))
		f[SentBytes] += s.perMinute(float64(is.Network.SentBytes) - float64(was.Network.SentBytes))
		f[Handshakes] += s.perMinute(float64(is.Network.Opened) - float64(was.Network.Opened))
		f[CPU] += s.perMinute((is.CPU - was.CPU).Seconds())
		f[Connections] += float64(is.Network.Established)
		f[ResidentContender] += float64(is.Resident)
		f[LostTotal] += float64(is.Lost - was.Lost)
		contenders += is.Contenders
	}
	if contenders > 0 {
		f[ResidentContender] /= float64(contenders)
	}
	return f
}

// rest returns the figures of contenders for one lease, of which the first
// crowd is the leader alone.
func (w window) rest() map[string]float64 {
	f := w.common()
	standbys := 0
	var sent, cpu float64
	for i, s := range w.crowds {
		requests := s.perMinute(float64(s.after.Sent) - float64(s.before.Sent))
		used := s.perMinute((s.after.CPU - s.before.CPU).Seconds())
		if i == 0 {
			f[LeaderRequests], f[LeaderCPU] = requests, used
			continue
		}
		sent += requests
		cpu += used
		standbys += s.after.Contenders
	}
	if standbys > 0 {
		f[StandbyRequests], f[StandbyCPU] = sent/float64(standbys), cpu/float64(standbys)
	}
	return f
}

// leases returns the figures of a process that leads as many leases, which had
// the heap and stacks of empty before it had any, and those of full with all.
func (w window) leases(empty, full Reading) map[string]float64 {
	f := w.common()
	if n := float64(full.Contenders); n > 0 {
		f[LeaderRequests] = f[Requests] / n
		f[HeapLease] = (float64(full.Heap) - float64(empty.Heap)) / n
		f[StackLease] = (float64(full.Stacks) - float64(empty.Stacks)) / n
	}
	return f
}

// busiest is the share of the processors' time from which on there is none left
// to tell a contender's cost from the machine's.
const busiest = 0.95

// limit names what of the laboratory's own shows in the figures, empty if
// nothing does.
func limit(figures map[string]float64) string {
	var met []string
	if n := figures[LostTotal]; n > 0 {
		met = append(met, fmt.Sprintf("%.0f leases were lost while nothing happened", n))
	}
	if n := figures[RefusedTotal]; n > 0 {
		met = append(met, fmt.Sprintf("the API servers refused %.0f requests", n))
	}
	if busy := figures[Busy]; busy >= busiest {
		met = append(met, fmt.Sprintf("the machine's processors were %.0f %% busy, other programs included", 100*busy))
	}
	return strings.Join(met, "; ")
}
