// Package fence has the API server refuse what a deposed leader still sends.
//
// A lease is a promise about time. A request that left in time and arrives late,
// a process that was stopped between its check and its write, and work that
// ignores its context may all write after another leads. The receiver of nearly
// every such write is the API server, and it can check: a
// ValidatingAdmissionPolicy, whose parameter is the Lease, compares the Pod of the
// caller with the holder.
//
// [Fence] says what is guarded, and [Fence.Objects] makes the objects for it;
// the command leaderelection/fence/cmd/fence prints them as YAML. [Identity] is the
// holder's identity that the policy understands. [Refused] tells a refusal by a
// fence from any other.
//
// It is an additional defence, not a proof. An API server knows the Lease by a
// watch: milliseconds after a takeover when all is well, and as late as the end of
// the lease where its watch is stalled and [Fence.NoExpiry] is not set. docs/fence.md
// says what is covered and what is not.
package fence
