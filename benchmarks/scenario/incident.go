package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// What a client of the incident does.
const (
	// KindStandby stands by in an election whose leader dies in the incident.
	KindStandby = "standby"
	// KindInformer watches an object of which there is no news until one comes
	// after the fault.
	KindInformer = "informer"
	// KindWriter reads and updates an object without a bound of its own.
	KindWriter = "writer"
)

// The two ways to be a client of the incident.
const (
	// Unpinged is client-go with HTTP/2 and without its pings, as it was in the
	// incident.
	Unpinged = "client-go-unpinged"
	// Hardened is this library: its elector, and for the other kinds client-go
	// with a config of dialer.HardenTraffic, where it is the caller's own pings
	// that are switched off.
	Hardened = "holdfast"
)

// Client is one of those who are connected to the API server that dies.
type Client struct{ Kind, Peer string }

// String is the client's name, which its host bears too.
func (c Client) String() string { return c.Peer + "-" + c.Kind }

// Clients returns every client of the incident.
func Clients() []Client {
	var all []Client
	for _, peer := range []string{Unpinged, Hardened} {
		for _, kind := range []string{KindStandby, KindInformer, KindWriter} {
			all = append(all, Client{Kind: kind, Peer: peer})
		}
	}
	return all
}

// IncidentOptions say how the incident is replayed. All fields but Stderr must
// be set.
type IncidentOptions struct {
	// Timing is the elections'.
	Timing Timing
	// Retries2 is tcp_retries2 of the hosts of the clients.
	Retries2 int
	// Within is what dialer.HardenTraffic is told.
	Within time.Duration
	// Await names the clients whose recovery is waited for; Window is how long
	// after the fault, at most.
	Await  []Client
	Window time.Duration
	// Stderr takes what the clients log, from several goroutines at a time; nil
	// sends it to the log files of their hosts.
	Stderr io.Writer
}

// validate says which option cannot be used.
func (o IncidentOptions) validate() error {
	if err := o.Timing.Validate(); err != nil {
		return err
	}
	switch {
	case o.Within <= 0:
		return fmt.Errorf("bound %v of the hardened clients: must be positive", o.Within)
	case o.Window <= 0:
		return fmt.Errorf("window %v: must be positive", o.Window)
	case len(o.Await) == 0:
		return errors.New("nobody's recovery is awaited: name at least one client")
	}
	for _, c := range o.Await {
		if !slices.Contains(Clients(), c) {
			return fmt.Errorf("awaited client %s: must be one of %v", c, Clients())
		}
	}
	return nil
}

// Outcome is what became of a client.
type Outcome struct {
	// Recovered is from the fault to when the client was back: the standby's
	// work began, the informer had the news, a write begun since was answered.
	Recovered Figure
	// GaveUp is from the fault to when the client's kernel had first dropped a
	// connection because the peer was silent. It is not known where the client
	// noticed by itself, or nobody did.
	GaveUp Figure
	// Failures are the requests and streams of the client that ended without an
	// answer between the fault and its recovery, those that it cancelled
	// included, in their order.
	Failures []event.Event
}

// Incident is what came of a replay.
type Incident struct {
	// Window is from the fault to the end of the replay: a client that has not
	// recovered had not done so for that long.
	Window time.Duration
	// Outcomes has every client of Clients.
	Outcomes map[Client]Outcome
	// Elections are the figures of the standby's election, by peer.
	Elections map[string]Figures
	// Events is everything that happened, sorted by time.
	Events []event.Event
}

// PlayIncident replays the incident for all clients side by side and mends
// everything afterwards. Two elections, each with its leader on one host and
// its standby on another, and the other clients are connected to one API
// server. That server and the leaders' hosts go silent together, and the
// virtual IP drops the server at once. A client in Await that is not back when
// Window is over is no error: the outcome shows it. What failed before the
// fault is one, as is a ctx that ends early.
func (s *Stage) PlayIncident(ctx context.Context, o IncidentOptions) (Incident, error) {
	i := &incident{stage: s, options: o, fleets: map[string]*Fleet{}, hosts: map[Client]*lab.Host{}}
	err := o.validate()
	var result Incident
	if err == nil {
		result, err = i.play(ctx)
	}
	if err != nil {
		return result, fmt.Errorf("incident at %v with tcp_retries2 = %d: %w", o.Timing, o.Retries2, err)
	}
	return result, nil
}

// incident is a replay in progress.
type incident struct {
	stage   *Stage
	options IncidentOptions
	fleets  map[string]*Fleet // by peer
	hosts   map[Client]*lab.Host
	log     event.Log // of the probes, and of what their kernels did
	fault   time.Time
}

func (i *incident) play(ctx context.Context) (result Incident, err error) {
	defer func() { err = errors.Join(err, i.close()) }()
	if err = i.prepare(ctx); err == nil {
		err = i.strike()
	}
	if err == nil {
		err = i.watch(ctx)
	}
	result = i.result()
	if err == nil {
		for peer, fleet := range i.fleets {
			figures, e := Measure(fleet.Events(), i.options.Timing.RetryPeriod)
			result.Elections[peer] = figures
			err = errors.Join(err, e)
		}
	}
	return result, err
}
