// Package stage is what those who play in a laboratory share: the objects and rights
// that they need in the API ([Make], [Rights]), and a [Play], which is what happens from
// the first process to the last, in one stream of events.
package stage
