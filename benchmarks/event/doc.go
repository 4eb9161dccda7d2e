// Package event is the one stream of a laboratory run: what happened, to whom,
// and when, one JSON object a line. Contenders, the observer of the Lease and
// the scenario itself all write it, and every figure is computed from it and
// from nothing else, so a saved stream can be measured again.
//
//	{"time":"2026-11-23T13:06:37.123456789Z","who":"contender-1","what":"leading"}
//	{"time":"2026-11-23T13:06:37.625001Z","who":"observer","what":"committed","holder":"contender-1","renewTime":"2026-11-23T13:06:37.62Z","lease":"3s"}
//	{"time":"2026-11-23T13:06:39.1Z","who":"scenario","what":"fault","on":"contender-1","reason":"killed"}
//
// All hosts of the laboratory run on one machine and share its clock, so the
// times of different writers compare directly. They are wall-clock times: a
// run during which the machine's clock is set gives figures that are wrong by
// as much.
package event
