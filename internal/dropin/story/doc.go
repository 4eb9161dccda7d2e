// Package story plays one story under client-go's elector and under this
// library's, in virtual time and on one Lease API, and compares what each of them
// did: the callbacks and their order, the work's context, the writes to the Lease,
// the events, the metrics and the levels of the log. Every difference belongs to
// a row of docs/behaviour.md, and every row that is named here shows here.
//
// It has tests only.
package story
