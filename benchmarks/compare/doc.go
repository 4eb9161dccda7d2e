// Package compare says what a comparison of peers plays, in which order, and
// what of each run becomes a figure. It knows nothing of the laboratory: who
// plays a [Cell] is handed in.
//
// # Order
//
// A comparison goes in rounds. In each, every cell, a peer under a scenario
// with a timing, is played once, in an order that is drawn from the seed, so
// that what changes on the machine during a run touches all peers alike. The
// timings follow each other in the order in which they were given. Those with
// long leases, whose runs take minutes, are played in every third round, and the
// first round begins with the two peers between which the question is asked:
// a comparison that ends after a few minutes still has them side by side. The
// same seed gives the same order, so one that was ended can be continued.
//
// # Figures
//
// Where the fault is one that ends the leader (a takeover):
//
//   - takeover_seconds: from the end of the lease to the next leader; negative
//     where a peer led before that; absent where the lease was released
//   - outage_seconds: from the fault to the next leader
//   - handover_seconds: the same in the scenario handover
//
// Where it is one that a leader may survive:
//
//   - kept: 1 if the leader kept the lease, 0 if not
//   - renewal_late_seconds: by how much a renewal of a kept lease was late, at most
//   - loss_after_seconds: from the fault to the first loss
//   - standby_requests_per_minute: what the standby asked for, under this fault,
//     as long as it stood by. What it asks for at rest is another measure.
//
// Always, counted from the fault to the end of the run (window_seconds), except
// for the overlap, which is of the whole run:
//
//   - leases_lost_total: leases given up though nobody had asked
//   - overlap_seconds: how long the work of two contenders ran at once
//   - requests_leader_total, requests_standby_total: each attempt counts. The
//     names are those before the fault.
//   - connections_total: connections opened, by both
//
// A run is not of the same length for all: one with a takeover ends with it, and
// any other after a lease and a renew deadline.
//
// A cell that a peer cannot play is a sample with Limit set, once: see
// [NotApplicable].
package compare
