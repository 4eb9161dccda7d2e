package resourcelock

import (
	"fmt"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// answered returns what an answer shows of the Lease, where it is about that. A
// proxy or a cache on the way can hand out another's.
func (l *LeaseLock) answered(lease *coordinationv1.Lease) (Snapshot, error) {
	if lease.Name != l.LeaseMeta.Name || lease.Namespace != l.LeaseMeta.Namespace {
		return Snapshot{}, fmt.Errorf("lease %s: the answer is about %q: a proxy or a cache on the way does not do its part",
			l.Describe(), lease.Namespace+"/"+lease.Name)
	}
	return l.snapshot(lease), nil
}

// stored returns nil if state, which a write on base was answered with, is what
// the write has left behind. A write that the API says it has done can have come to
// nothing all the same: admission puts back what stood there, or a proxy answers in
// the server's place. To lead on such an answer would be to lead beside the one who
// holds the lease.
//
// Admission may change any field of what is stored. It may not name another
// holder where it takes the mark away as well: then nothing is left to know the
// write by.
func stored(base Snapshot, sent Entry, state Snapshot) error {
	const untrue = "answered as written, but "
	holder := state.Record.HolderIdentity
	switch {
	case base.ResourceVersion != "" && base.ResourceVersion == state.ResourceVersion:
		return fmt.Errorf(untrue+"the Lease is at the version it had, %s, held by %q", state.ResourceVersion, holder)
	case sent.Mark != "" && state.Stated.Mark == sent.Mark:
		return nil
	case state.Stated.Mark != "" && state.Stated.Describes(state.Record):
		return fmt.Errorf(untrue+"what stands there is another write, of %q", holder)
	case base.Exists() && sameFineTime(base.Record.RenewTime, state.Record.RenewTime) && !sent.Record.RenewTime.Equal(&base.Record.RenewTime):
		return fmt.Errorf(untrue+"the Lease is as %q renewed it before, without a mark of this write", holder)
	case !strings.EqualFold(holder, sent.Record.HolderIdentity):
		return fmt.Errorf(untrue+"the holder is %q where %q was sent", holder, sent.Record.HolderIdentity)
	}
	return nil
}

// sameFineTime reports whether two times are one and not of whole seconds, at which times
// that admission has cut may meet.
func sameFineTime(a, b metav1.Time) bool { return a.Equal(&b) && a.Nanosecond() != 0 }
