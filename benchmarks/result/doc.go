// Package result is the file in which a benchmark keeps what it measured: one
// JSON object a line, first the run, then a sample for each thing measured, in
// the order in which they were. A run that is ended early leaves a file that
// can be read, and a report is made from the file and from nothing else.
//
//	{"run":{"command":"compare -seed 7","seed":7,"began":"2026-11-23T21:42:00Z","machine":{…},"versions":{…}}}
//	{"sample":{"measure":"failover","peer":"client-go","case":"kill","timing":"3s/2s/500ms","round":1,"figures":{"takeover_seconds":0.38}}}
//
// The names of figures carry their unit as Prometheus has it: _seconds,
// _bytes, _total, _per_minute, _ratio. A figure that could not be measured is
// absent, not zero.
package result
