package resourcelock

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WishAnnotation is the annotation in which a contender that is preferred asks the
// holder of a Lease to hand it over: a Wish as JSON. The spec of the Lease stays what it
// is, so it means nothing to whoever does not know it.
const WishAnnotation = "holdfast-go.github.io/wish"

// Wish asks the holder of a Lease to hand it over. The zero Wish asks nothing.
type Wish struct {
	// By is the identity of the contender that asks: valid UTF-8 of at most
	// MaxSuccessor bytes, not empty.
	By string
	// Priority is how much it is preferred.
	Priority int
	// Holder, AcquireTime and Transitions are those of the record that it saw. The
	// wish is about that term alone.
	Holder      string
	AcquireTime time.Time
	Transitions int
}

// Wisher is a lock by which a contender can ask the holder to hand the lease over.
// LeaseLock is one.
type Wisher interface {
	// Wish leaves a wish in the Lease, of which it changes nothing else, and returns
	// what stands there now. What it is about is taken from base, which must have a
	// holder. An error for which apierrors.IsConflict is true says that base is not the
	// current state. It is safe for concurrent use.
	Wish(ctx context.Context, base Snapshot, by string, priority int) (Snapshot, error)
}

var _ Wisher = (*LeaseLock)(nil)

// Wish implements Wisher.
func (l *LeaseLock) Wish(ctx context.Context, base Snapshot, by string, priority int) (Snapshot, error) {
	return inTime(ctx, l, func(ctx context.Context) (Snapshot, error) { return l.wish(ctx, base, by, priority) })
}

func (l *LeaseLock) wish(ctx context.Context, base Snapshot, by string, priority int) (Snapshot, error) {
	wish := base.NewWish(by, priority)
	if !base.Exists() || !wish.valid() {
		return Snapshot{}, fmt.Errorf("wish of %q on lease %s: there must be a name of at most %d bytes of UTF-8, and a Lease with a holder", by, l.Describe(), MaxSuccessor)
	}
	lease, err := l.based(base)
	if err != nil {
		return Snapshot{}, err
	}
	if err := wish.annotate(lease); err != nil {
		return Snapshot{}, err
	}
	written, err := l.update(ctx, base, lease)
	if err != nil {
		return Snapshot{}, err
	}
	return l.answered(written)
}

// NewWish returns the wish of a contender about the term that s shows.
func (s Snapshot) NewWish(by string, priority int) Wish {
	record := s.Record
	return Wish{By: by, Priority: priority, Holder: record.HolderIdentity, AcquireTime: record.AcquireTime.Time, Transitions: record.LeaderTransitions}
}

// Hears reports whether the holder has said with its last write that it hears of wishes.
// One that does not, such as client-go's elector, is not asked: a wish costs the holder's
// next renewal two answers more.
func (s Snapshot) Hears() bool {
	return s.Record.HolderIdentity != "" && s.Stated.Mark != "" && s.Stated.Hears && s.Stated.Describes(s.Record)
}

// Wish returns the wish about the term that s shows, and false if there is none.
func (s Snapshot) Wish() (Wish, bool) {
	return s.Wished, s.Wished.valid() && s.Wished.about(s.Record)
}

func (w Wish) valid() bool {
	return w.By != "" && len(w.By) <= MaxSuccessor && utf8.ValidString(w.By) && w.Holder != ""
}

// about reports whether the wish is about the term of a record. Admission may have
// changed the case of the holder.
func (w Wish) about(record LeaderElectionRecord) bool {
	return strings.EqualFold(w.Holder, record.HolderIdentity) && w.Transitions == record.LeaderTransitions &&
		w.AcquireTime.Truncate(time.Microsecond).Equal(record.AcquireTime.Truncate(time.Microsecond))
}

// wishJSON is a Wish as the value of WishAnnotation.
type wishJSON struct {
	By          string           `json:"by"`
	Priority    int              `json:"priority"`
	Holder      string           `json:"holder"`
	AcquireTime metav1.MicroTime `json:"acquireTime"`
	Transitions int              `json:"transitions"`
}

func (w Wish) annotate(lease *coordinationv1.Lease) error {
	value, err := json.Marshal(wishJSON{w.By, w.Priority, w.Holder, metav1.NewMicroTime(w.AcquireTime), w.Transitions})
	if err != nil {
		return err
	}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[WishAnnotation] = string(value)
	return nil
}

// wishOf returns the wish in the annotations of a Lease, the zero Wish where there is
// none that can be read.
func wishOf(annotations map[string]string) Wish {
	value, wished := annotations[WishAnnotation]
	if !wished {
		return Wish{}
	}
	var w wishJSON
	if json.Unmarshal([]byte(value), &w) != nil {
		return Wish{}
	}
	return Wish{w.By, w.Priority, w.Holder, w.AcquireTime.Time, w.Transitions}
}

// forgetWish takes a wish out of a Lease that is not about the term of record.
func forgetWish(lease *coordinationv1.Lease, record LeaderElectionRecord) {
	if wish := wishOf(lease.Annotations); !wish.valid() || !wish.about(record) {
		delete(lease.Annotations, WishAnnotation)
	}
}
