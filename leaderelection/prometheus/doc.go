// Package holdfastprom has the Prometheus metrics of leader elections.
//
// A scrape sends no request to the API server and delays no renewal. Each metric is
// there from the first scrape on: a counter that has not counted is zero, so that
// its first increase is seen. The number of series depends only on how many
// elections and clients a process has: every label but name (of the election) and
// client has a fixed set of values. The metrics cannot prove that there never were
// two leaders: scrapes are seconds apart, and terms that overlap for less do not
// show. Use the fencing token where the work must not be done twice.
//
//	metrics := holdfastprom.New()
//	prometheus.MustRegister(metrics) // or controller-runtime's metrics.Registry, or legacyregistry.Registerer()
//
//	metrics.Election(&config) // before the elector is made
//	leaderelection.RunOrDie(ctx, config)
//
// A dialer.Meter counts the connections and requests of a client. To show them:
//
//	metrics.Meter("lock", &meter) // dialer.Harden(config, budget, dialer.WithMeter(&meter))
//
// The files in dashboards are alert rules for Prometheus and a dashboard for
// Grafana; the tests in scrape compare both with a live scrape.
//
// # Metrics
//
// The metrics of an election have the label name: LeaderElectionConfig.Name, or
// namespace/name of the Lease where that is empty.
//
//	holdfast_leading                     gauge: 1 while this process leads
//	holdfast_in_doubt                    gauge: 1 while this process cannot tell whether its term goes on (suspended machine)
//	holdfast_term_left_seconds           gauge: time until its term ends unless it is renewed
//	holdfast_leaderless_seconds          gauge: for how long it has seen no leader
//	holdfast_lease_duration_seconds      gauge: LeaseDuration, for alerts to compare with
//	holdfast_terms_begun_total           counter by after: takeover, handover, new_lease, own_claim, proof
//	holdfast_terms_ended_total           counter by reason: those of leaderelection.Reason
//	holdfast_renewals_total              counter by result: confirmed, settled, lost, given_up
//	holdfast_renewal_duration_seconds    histogram (native too): from the first write sent to the result
//	holdfast_watch_restarts_total        counter by cause: ended (by the server, or silent), failed
//
// The metrics of a client have the label client, with the value that was given to
// Meter. A hedge is a request that is sent again because it was not answered soon.
//
//	holdfast_connections_open            gauge
//	holdfast_connections_opened_total    counter
//	holdfast_connections_closed_total    counter by reason: those of dialer.CloseReason
//	holdfast_requests_total              counter: round trips
//	holdfast_requests_answered_total     counter: those answered, with whatever status
//	holdfast_hedges_sent_total           counter: attempts sent beside an unanswered one
//	holdfast_hedges_won_total            counter: round trips that one of these won
//
// The metric leader_election_master_status is not among them. Component-base and
// controller-runtime register its provider with client-go's leaderelection and do not
// export it, so it shows client-go's electors only. Package
// leaderelection/controllerruntime sets it nevertheless; elsewhere use
// holdfast_leading instead. A MetricsProvider of your own works as with client-go
// (leaderelection.SetProvider).
package holdfastprom
