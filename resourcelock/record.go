package resourcelock

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	upstream "k8s.io/client-go/tools/leaderelection/resourcelock"
)

// LeaseSpecToLeaderElectionRecord returns what spec says in the words of leader
// election. Fields that are not set become their zero values.
func LeaseSpecToLeaderElectionRecord(spec *coordinationv1.LeaseSpec) *LeaderElectionRecord {
	if spec == nil {
		return &LeaderElectionRecord{}
	}
	return upstream.LeaseSpecToLeaderElectionRecord(spec)
}

// LeaderElectionRecordToLeaseSpec returns record as the spec of a Lease.
func LeaderElectionRecordToLeaseSpec(record *LeaderElectionRecord) coordinationv1.LeaseSpec {
	if record == nil {
		return coordinationv1.LeaseSpec{}
	}
	return upstream.LeaderElectionRecordToLeaseSpec(record)
}
