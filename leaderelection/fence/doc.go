// Package fence makes the API server refuse what a former leader still sends.
//
// A lease is a promise about time. A request that left in time and arrives late,
// a process that was stopped between its check and its write, and work that
// ignores its context may all write after another leads. The receiver of nearly
// every such write is the API server, and it can check who holds the lease: a
// ValidatingAdmissionPolicy, whose parameter is the Lease, compares the Pod of the
// caller with the holder.
//
// [Fence] says what is guarded, and [Fence.Objects] makes the objects for it;
// the command leaderelection/fence/cmd/fence prints them as YAML. [Identity] makes
// an identity that the policy can compare. [Refused] reports whether an error is a
// refusal by a fence.
//
// A fence is an additional defence, not a proof. An API server learns of a takeover
// by a watch on the Lease, normally within milliseconds. If its watch is stalled, it
// refuses the former leader only from the end of the lease on, and not even then
// where [Fence.NoExpiry] is set. docs/fence.md says what is covered and what is not.
package fence
