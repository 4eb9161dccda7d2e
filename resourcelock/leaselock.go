package resourcelock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/status"
)

// LeaseLock is a lock on a Lease object. The exported fields are those of
// client-go's LeaseLock and must not change once the lock is in use; its
// methods may be called from several goroutines at once.
//
// Labels and annotations of the Lease that are not in Labels belong to others
// and are kept.
type LeaseLock struct {
	// LeaseMeta names the Lease by Namespace and Name.
	LeaseMeta metav1.ObjectMeta
	// Client reads and writes the Lease. A client whose configuration was
	// hardened (dialer.Harden) cannot be held up by a dead connection.
	Client coordinationv1client.LeasesGetter
	// LockConfig holds the identity and the optional event recorder.
	LockConfig ResourceLockConfig
	// Labels are put on the Lease with every write; nil puts none.
	Labels map[string]string

	// factory is what made the lock and shares its watches; nil for none.
	factory *Factory

	// What prepare has made, once: caller makes the calls, and watches are the
	// factory's or the lock's own.
	once    sync.Once
	caller  caller
	watches *sharedWatches

	mu sync.Mutex
	// last is what Get, Create or Update saw last: Interface has no argument for
	// what an Update is based on.
	last Snapshot
	// meta is the newest metadata seen by any call; events refer to it.
	meta metav1.ObjectMeta
}

var _ Versioned = (*LeaseLock)(nil)

// Get returns the record of the Lease and its JSON form, and remembers the
// state it saw for the next Update. The JSON form has times to the microsecond,
// as the Lease has: client-go's elector takes a record for renewed when this
// form has changed, and its own lock gives it whole seconds, in which a renewal
// within the same second is lost. A Lease that does not exist is an error for
// which apierrors.IsNotFound is true.
//
// Like every call it returns within Bound.
func (l *LeaseLock) Get(ctx context.Context) (*LeaderElectionRecord, []byte, error) {
	snapshot, err := inTime(ctx, l, l.get)
	if err != nil {
		return nil, nil, err
	}
	l.remember(snapshot)
	raw, err := json.Marshal(fineRecord{
		LeaderElectionRecord: snapshot.Record,
		AcquireTime:          metav1.NewMicroTime(snapshot.Record.AcquireTime.Time),
		RenewTime:            metav1.NewMicroTime(snapshot.Record.RenewTime.Time),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the record of lease %s: %w", l.Describe(), err)
	}
	return &snapshot.Record, raw, nil
}

// fineRecord is a record whose JSON form has times to the microsecond.
type fineRecord struct {
	LeaderElectionRecord

	AcquireTime metav1.MicroTime `json:"acquireTime"`
	RenewTime   metav1.MicroTime `json:"renewTime"`
}

// Create creates the Lease with record. It fails with an error for which
// apierrors.IsAlreadyExists is true when the Lease exists, unless that Lease is
// the one that this very call has created: a request that is slow is sent twice
// (package dialer), and the second may be answered by what the first has done.
func (l *LeaseLock) Create(ctx context.Context, record LeaderElectionRecord) error {
	return l.replace(ctx, Snapshot{}, record)
}

// Update replaces the record that the last Get, Create or Update saw. It fails
// with an error for which apierrors.IsConflict is true when the Lease has
// changed since, but not by this very call (see Create), and with an error of its
// own when none of them came before.
func (l *LeaseLock) Update(ctx context.Context, record LeaderElectionRecord) error {
	l.mu.Lock()
	base := l.last
	l.mu.Unlock()
	if !base.Exists() {
		return fmt.Errorf("updating lease %s: nothing was read or created before; call Get or Create first", l.Describe())
	}
	return l.replace(ctx, base, record)
}

func (l *LeaseLock) replace(ctx context.Context, base Snapshot, record LeaderElectionRecord) error {
	entry := Entry{Record: record, Duration: time.Duration(record.LeaseDurationSeconds) * time.Second, Mark: newMark()}
	written, err := inTime(ctx, l, func(ctx context.Context) (Snapshot, error) {
		ctx, sent := counted(ctx)
		written, err := l.write(ctx, base, entry)
		switch {
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			return l.settle(ctx, entry, err)
		case errors.As(err, new(apierrors.APIStatus)) && sent() > 1:
			// A quota that the first has used up, say, or admission that refuses what exists.
			return l.settle(ctx, entry, err)
		}
		return written, err
	})
	if err != nil {
		return err
	}
	l.remember(written)
	return nil
}

// counted returns a context that counts how often a request of it was sent.
func counted(ctx context.Context) (context.Context, func() int32) {
	var sent atomic.Int32
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Add(1) }, // before the answer can be there, as WroteRequest need not be
	}), sent.Load
}

// settle finds out whether a write that was refused has itself, sent another time,
// changed the state, for which it was refused then.
func (l *LeaseLock) settle(ctx context.Context, entry Entry, refused error) (Snapshot, error) {
	standing, err := l.read(ctx)
	switch {
	case err != nil:
		return Snapshot{}, fmt.Errorf("%w; whose write stands there could not be read: %w", refused, err)
	case standing.Stated.Mark == entry.Mark && standing.Stated.Describes(standing.Record):
		return standing, nil
	}
	return Snapshot{}, refused
}

// Read implements Versioned.
func (l *LeaseLock) Read(ctx context.Context) (Snapshot, error) { return inTime(ctx, l, l.read) }

// Write implements Versioned.
func (l *LeaseLock) Write(ctx context.Context, base Snapshot, next Entry) (Snapshot, error) {
	return inTime(ctx, l, func(ctx context.Context) (Snapshot, error) { return l.write(ctx, base, next) })
}

// inTime makes a call to the API within the lock's bound.
func inTime[T any](ctx context.Context, l *LeaseLock, call func(context.Context) (T, error)) (T, error) {
	l.prepare()
	value, err := within(ctx, &l.caller, call)
	if errors.Is(err, ErrDeaf) {
		err = fmt.Errorf("lease %s: %w", l.Describe(), err)
	}
	return value, err
}

// get returns the Lease as it is; one that does not exist is an error.
func (l *LeaseLock) get(ctx context.Context) (Snapshot, error) {
	lease, err := l.client().Get(ctx, l.LeaseMeta.Name, metav1.GetOptions{})
	if err != nil {
		return Snapshot{}, err
	}
	return l.answered(lease)
}

// read is get for whom a Lease that does not exist is none.
func (l *LeaseLock) read(ctx context.Context) (Snapshot, error) {
	snapshot, err := l.get(ctx)
	if status.Absent(err) {
		return Snapshot{}, nil
	}
	return snapshot, err
}

func (l *LeaseLock) write(ctx context.Context, base Snapshot, next Entry) (Snapshot, error) {
	lease, err := l.based(base)
	if err != nil {
		return Snapshot{}, err
	}
	lease.Spec = LeaderElectionRecordToLeaseSpec(&next.Record)
	annotate(lease, next)
	if l.Labels != nil && lease.Labels == nil {
		lease.Labels = map[string]string{}
	}
	maps.Copy(lease.Labels, l.Labels)

	var written *coordinationv1.Lease
	if base.Exists() {
		written, err = l.update(ctx, base, lease)
	} else {
		written, err = l.client().Create(ctx, lease, metav1.CreateOptions{})
	}
	if err != nil {
		return Snapshot{}, err
	}
	state, err := l.answered(written)
	if err != nil {
		return Snapshot{}, err
	}
	if err := stored(base, next, state); err != nil {
		return Snapshot{}, fmt.Errorf("lease %s: %w", l.Describe(), err)
	}
	return state, nil
}

// update replaces base, which exists, by next.
func (l *LeaseLock) update(ctx context.Context, base Snapshot, next *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	if base.unversioned() {
		return l.updateUnversioned(ctx, base.lease, next)
	}
	return l.client().Update(ctx, next, metav1.UpdateOptions{})
}

// based returns the Lease that a write on base starts from.
func (l *LeaseLock) based(base Snapshot) (*coordinationv1.Lease, error) {
	if !base.Exists() {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name:      l.LeaseMeta.Name,
			Namespace: l.LeaseMeta.Namespace,
		}}, nil
	}
	if base.lease == nil {
		return nil, errors.New("writing lease " + l.Describe() + ": the snapshot was not read by a LeaseLock; base writes on what Read, Write or Watch returned")
	}
	// A shallow copy: the write replaces the whole spec, and of what is left it
	// changes only the two maps.
	lease := *base.lease
	lease.Labels, lease.Annotations = maps.Clone(lease.Labels), maps.Clone(lease.Annotations)
	return &lease, nil
}

// RecordEvent records s as an event of the Lease, with the identity before it.
// Without an EventRecorder it does nothing.
func (l *LeaseLock) RecordEvent(s string) {
	if l.LockConfig.EventRecorder == nil {
		return
	}
	l.mu.Lock()
	meta := *l.meta.DeepCopy()
	l.mu.Unlock()
	if meta.Name == "" { // nothing was read yet
		meta.Name, meta.Namespace = l.LeaseMeta.Name, l.LeaseMeta.Namespace
	}
	subject := &coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{Kind: "Lease", APIVersion: coordinationv1.SchemeGroupVersion.String()},
		ObjectMeta: meta,
	}
	l.LockConfig.EventRecorder.Eventf(subject, corev1.EventTypeNormal, "LeaderElection", "%s %s", l.LockConfig.Identity, s)
}

// Describe returns namespace/name of the Lease.
func (l *LeaseLock) Describe() string { return l.LeaseMeta.Namespace + "/" + l.LeaseMeta.Name }

// Identity returns the identity that this lock holds the lease under.
func (l *LeaseLock) Identity() string { return l.LockConfig.Identity }

// client returns the Client's part for the Lease's namespace. The Client is asked each
// time, as by client-go's lock: what stands behind it may change, such as a token.
func (l *LeaseLock) client() coordinationv1client.LeaseInterface {
	return l.Client.Leases(l.LeaseMeta.Namespace)
}

// prepare makes what every call needs.
func (l *LeaseLock) prepare() {
	l.once.Do(func() {
		if l.factory != nil {
			l.caller.bound, l.caller.heeds = l.factory.bound, l.factory.heeds
			l.watches = l.factory.watches
			return
		}
		budget, _ := dialer.Hardened(transportOf(l.Client))
		l.caller.bound = budget.Answer
		l.watches = newSharedWatches(l.Client, budget, false)
	})
}

// remember makes snapshot what the next Update is based on.
func (l *LeaseLock) remember(snapshot Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = snapshot
}

// snapshot turns a Lease from the API into a Snapshot, which owns it from then on.
func (l *LeaseLock) snapshot(lease *coordinationv1.Lease) Snapshot {
	l.mu.Lock()
	l.meta = lease.ObjectMeta
	l.mu.Unlock()
	record := *LeaseSpecToLeaderElectionRecord(&lease.Spec)
	stated := statementOf(lease.Annotations)
	return Snapshot{
		Record:          record,
		Duration:        leaseOf(record, stated, lease.Annotations),
		Stated:          stated,
		Wished:          wishOf(lease.Annotations),
		ResourceVersion: lease.ResourceVersion,
		lease:           lease,
	}
}
