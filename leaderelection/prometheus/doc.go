// Package holdfastprom shows leader elections to Prometheus.
//
// It promises that a scrape costs no request and delays no renewal, that each
// metric is there from the first scrape on (a counter that has not counted is
// zero, so that its first increase is seen), and that the number of series
// depends only on how many elections a process takes part in: every label has a
// fixed set of values but name, the election's, and client. It promises no proof
// of two leaders: scrapes are seconds apart, and two terms that overlap for
// less leave no trace in them. See the fencing token for what guarded work must
// not do twice.
//
//	metrics := holdfastprom.New()
//	prometheus.MustRegister(metrics) // or controller-runtime's metrics.Registry, or legacyregistry.Registerer()
//
//	metrics.Election(&config) // before the elector is made
//	leaderelection.RunOrDie(ctx, config)
//
// What became of a client's connections comes from its dialer.Meter:
//
//	metrics.Meter("lock", &meter) // dialer.Harden(config, budget, dialer.WithMeter(&meter))
//
// The files in dashboards are alert rules for Prometheus and a dashboard for
// Grafana; the tests in scrape hold both against a live scrape.
//
// # Metrics
//
// Those of an election carry the label name: LeaderElectionConfig.Name, or namespace/name of the
// Lease where that is empty.
//
//	holdfast_leading                     gauge: 1 while this process leads
//	holdfast_in_doubt                    gauge: 1 while its term has not ended and it cannot tell whether it leads
//	holdfast_term_left_seconds           gauge: what is left of its term unless it is renewed
//	holdfast_leaderless_seconds          gauge: for how long it has seen no leader
//	holdfast_lease_duration_seconds      gauge: LeaseDuration, for alerts to compare with
//	holdfast_terms_begun_total           counter by after: takeover, handover, new_lease, own_claim
//	holdfast_terms_ended_total           counter by reason: those of leaderelection.Reason
//	holdfast_renewals_total              counter by result: confirmed, settled, lost, given_up
//	holdfast_renewal_duration_seconds    histogram (native too): from the first write sent to the result
//	holdfast_watch_restarts_total        counter by cause: ended (by the server, or silent), failed
//
// Those of a client carry the label client, as given to Meter.
//
//	holdfast_connections_open            gauge
//	holdfast_connections_opened_total    counter
//	holdfast_connections_closed_total    counter by reason: those of dialer.CloseReason
//	holdfast_requests_total              counter: round trips
//	holdfast_requests_answered_total     counter: those answered, with whatever status
//	holdfast_hedges_sent_total           counter: attempts sent beside an unanswered one
//	holdfast_hedges_won_total            counter: round trips that one of these won
//
// Upstream's leader_election_master_status is not among them. Component-base and
// controller-runtime make it by giving client-go's leaderelection a provider
// that they do not export, so it tells of client-go's electors only. Package
// leaderelection/controllerruntime sets it all the same; elsewhere use
// holdfast_leading in its place. A MetricsProvider of your own works here as there
// (leaderelection.SetProvider).
package holdfastprom
