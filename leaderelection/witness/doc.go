// Package witness proves that the process which holds a lease is dead, so that
// nobody has to wait for the lease of a process that can act no more.
//
// # Promise
//
// What a witness calls dead is dead: no thread of the process that left the
// testimony runs any more, and none will again. A proof names that very process,
// and comes from whoever saw it end. It is never inferred from absence, from
// silence or from what a controller assumes. A witness that knows nothing, hangs,
// fails or panics costs nothing: the lease decides, as it does without one.
//
// # Three sentences
//
// A process leaves a testimony of itself, a short text that stands in the Lease
// with its own writes (Witness.Leave). A candidate that reads it there waits until
// the death of the one who left it is certain (Witness.Await). The proof that it
// gets is checked anew before each use (Proof.Check).
//
// # Which there are
//
//   - Process is the kernel's word, among processes of one network namespace: the
//     containers of a Pod, the container that is restarted in place, processes of
//     one host. It needs no permission and no API, and runs on Linux.
//   - Pod is the kubelet's word, across nodes. It needs the right to watch Pods, and
//     a line in the termination log of the container.
//   - Whoever else sees processes end can write one: a fencing device, a cloud that
//     tells the state of its instances. NewGroup puts several together, of which the
//     first proof counts.
//
// # Limits
//
// A proof is about the process. Requests that it sent before its death may still be
// executed after it, as with a lease that has ended.
//
// What counts as proof, what does not and why, and what each witness needs, is in
// docs/witness.md of this module.
package witness
