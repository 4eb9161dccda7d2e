package resourcelock

import (
	"time"
	"unicode/utf8"
)

// MaxTestimony is how long a testimony in a Lease may be, in bytes: it is written
// with each renewal.
const MaxTestimony = 8 << 10

// validTestimony returns a testimony as it may stand in a Lease, empty for one that
// may not.
func validTestimony(testimony string) string {
	if len(testimony) > MaxTestimony || !utf8.ValidString(testimony) {
		return ""
	}
	return testimony
}

// Testimony returns what the holder's process has left of itself with its own write.
// It is empty where the Lease has no holder, the holder has left nothing, or anyone
// has written since or edited holder or renew time: then it would be another
// process's. Unlike Statement.Describes it makes no allowance for admission that
// changes the case of the holder.
func (s Snapshot) Testimony() string {
	holder, stated := s.Record.HolderIdentity, s.Stated
	if holder == "" || stated.Holder != holder || stated.Mark == "" ||
		!stated.RenewTime.Truncate(time.Microsecond).Equal(s.Record.RenewTime.Truncate(time.Microsecond)) {
		return ""
	}
	return validTestimony(stated.Testimony)
}
