package resourcelock

import (
	upstream "k8s.io/client-go/tools/leaderelection/resourcelock"
)

//lint:file-ignore SA1019 these names exist because upstream's do; they are deprecated here as they are there

// UnknownLeader is the holder that a MultiLock reports when its two locks
// disagree.
//
// Deprecated: only MultiLock uses it.
const UnknownLeader = upstream.UnknownLeader

// MultiLock holds two locks at once.
//
// Deprecated: it served the migration from other lock types to Leases, which
// ended with Kubernetes 1.28. Use LeaseLock.
type MultiLock = upstream.MultiLock

// ConcatRawRecord joins the raw records of a MultiLock's two locks.
//
// Deprecated: only MultiLock uses it.
func ConcatRawRecord(primaryRaw, secondaryRaw []byte) []byte {
	return upstream.ConcatRawRecord(primaryRaw, secondaryRaw)
}
