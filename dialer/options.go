package dialer

// Option changes what Harden and HardenTraffic do beyond their bounds.
type Option func(*options)

type options struct{ meter *Meter }

// WithMeter makes the clients of a hardened config count into m, which may
// serve others as well. Without it, or with nil, each client counts into a
// Meter of its own, which StatsOf reads.
func WithMeter(m *Meter) Option { return func(o *options) { o.meter = m } }

func choose(opts []Option) (chosen options) {
	for _, option := range opts {
		if option != nil {
			option(&chosen)
		}
	}
	return chosen
}
