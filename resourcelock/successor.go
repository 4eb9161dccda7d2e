package resourcelock

import (
	"time"
	"unicode/utf8"
)

// MaxSuccessor is how long the name of a successor in a Lease may be, in bytes.
const MaxSuccessor = 1 << 10

// validSuccessor returns a successor as it may stand in a Lease that names holder,
// empty for one that may not.
func validSuccessor(holder, successor string) string {
	if holder != "" || len(successor) > MaxSuccessor || !utf8.ValidString(successor) {
		return ""
	}
	return successor
}

// Successor returns whom the release that this state shows has named to lead next. It
// is empty where the Lease has a holder, the release has named nobody, or anyone has
// written since or edited holder or renew time, such as client-go's elector: a name
// belongs to the very write that it was left with.
func (s Snapshot) Successor() string {
	stated := s.Stated
	if s.Record.HolderIdentity != "" || stated.Mark == "" ||
		!stated.RenewTime.Truncate(time.Microsecond).Equal(s.Record.RenewTime.Truncate(time.Microsecond)) {
		return ""
	}
	return validSuccessor(stated.Holder, stated.Successor)
}
