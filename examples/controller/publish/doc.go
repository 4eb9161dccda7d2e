// Package publish keeps one key of one ConfigMap in step with the labelled
// Services of a cluster.
//
// Every replica runs the caches (Publisher.Run), so that a new leader starts
// from what it already knows. Only the leader writes (Publisher.Lead), and only
// as long as the context of its term lasts: when that ends, a request in flight
// is cancelled with it and no other is sent.
//
// Cancelling a request does not take back what a server has already received.
// Every update therefore carries the resourceVersion that it is based on, and a
// create fails where the ConfigMap exists: what a former leader sent late loses
// against anything that was written since.
//
// # Ownership
//
// The ConfigMap is this installation's if it carries the annotation
// OwnerAnnotation with this installation's name. One without it, or with
// another's name, is never changed: an event and an error say so until it is
// gone or annotated. Taking the annotation away therefore is how to stop the
// controller from writing; setting it is how to hand a ConfigMap over.
//
// In a ConfigMap of its own the package writes one key and its two marks, and
// leaves all other keys, labels and annotations alone. What others do to that
// key, or to the ConfigMap as a whole, is undone as soon as the watch tells.
package publish
