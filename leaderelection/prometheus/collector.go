package holdfastprom

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
)

// Collector collects the metrics of any number of elections. It is made by New
// and safe for concurrent use. To add labels of your own, register it with
// prometheus.WrapRegistererWith.
type Collector struct {
	counts counts

	mu        sync.Mutex
	elections map[string]*election
	meters    map[string]*dialer.Meter
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a Collector without elections. Register it once.
func New() *Collector {
	return &Collector{counts: newCounts(), elections: map[string]*election{}, meters: map[string]*dialer.Meter{}}
}

// Describe implements prometheus.Collector. What it sends never changes.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, gauge := range gauges {
		descs <- gauge.desc
	}
	for _, vec := range c.counts.all() {
		vec.Describe(descs)
	}
	describeMeters(descs)
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	for _, e := range c.all() {
		e.collect(metrics)
	}
	for _, vec := range c.counts.all() {
		vec.Collect(metrics)
	}
	c.mu.Lock()
	meters := maps.Clone(c.meters)
	c.mu.Unlock()
	for client, meter := range meters {
		collectMeter(client, meter, metrics)
	}
}

// Forget drops all series of the election of that name. It is for a process
// that goes from lease to lease, such as one for each of many shards: without
// it, the series of every lease that it ever contended for stay. Call it when
// Run has returned. An unknown name is ignored.
func (c *Collector) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.elections[name]; e != nil {
		e.forgotten.Store(true)
		delete(c.elections, name)
	}
	c.counts.forget(name)
}

// all returns the elections in the order of their names. Their state is read
// without the lock, since it has locks of its own.
func (c *Collector) all() []*election {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.elections), func(a, b *election) int {
		return strings.Compare(a.name, b.name)
	})
}

// Election makes config tell the Collector what its elector does. Call it before
// NewLeaderElector or RunOrDie, once all other fields are set: it reads Name, Lock,
// LeaseDuration and Clock, and puts a Trace of its own into Trace, which passes
// everything on to the one that was there. A second call with the same config
// changes nothing.
//
// One process may contend in any number of elections, but each needs a name of
// its own: where two electors share one, their counters add up, and the gauges
// are those of the later.
func (c *Collector) Election(config *leaderelection.LeaderElectionConfig) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := nameOf(config)
	if e := c.elections[name]; e != nil && e.trace == config.Trace {
		return
	}
	e := newElection(name, config, c.counts)
	config.Trace = e.trace
	c.elections[name] = e
}

// nameOf returns what the election is called. A config that cannot work, such
// as one without Lock, is for NewLeaderElector to refuse.
func nameOf(config *leaderelection.LeaderElectionConfig) string {
	name := config.Name
	if name == "" && config.Lock != nil {
		name = config.Lock.Describe()
	}
	return valid(name)
}

// valid returns a label's value as client_golang takes it; anything else makes
// it panic.
func valid(value string) string { return strings.ToValidUTF8(value, "\uFFFD") }
