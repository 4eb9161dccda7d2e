package leaseapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/watch"
)

// DefaultHistory is how many commits a Store remembers for watches unless
// Options.History says otherwise.
const DefaultHistory = 1024

// Options shape a Store. The zero value is useful.
type Options struct {
	// OnCommit, if set, is called for every committed write, in the order of the
	// commits and before the write is answered. It runs while the Store is
	// locked: it must return quickly and must not call the Store.
	OnCommit func(Commit)
	// History is how many commits are remembered for watches that start from an
	// older resourceVersion; one that is older still gets 410 Gone. Zero means
	// DefaultHistory.
	History int
	// Admit, if set, is asked before each request on Leases is handled. It may
	// refuse it with an error (Request.Forbid, as RBAC would), and it may wait,
	// as long as ctx lasts, to make the API slow for some of them. It is called
	// by many goroutines at once.
	Admit func(ctx context.Context, request Request) error
	// ConnState, if set, is told of every connection to an Endpoint, as
	// http.Server.ConnState.
	ConnState func(net.Conn, http.ConnState)
}

// Commit is one committed write.
type Commit struct {
	// Time is when the write was committed, by the clock of this process.
	Time time.Time
	// Type is watch.Added, watch.Modified or watch.Deleted.
	Type watch.EventType
	// Lease is the Lease as written, or as it was last when it was deleted. It
	// is shared: it must not be changed.
	Lease *coordinationv1.Lease
	// Endpoint is the name of the Endpoint that the write came through.
	Endpoint string
}

// Store holds Leases and their latest changes. Its Endpoints serve it; see
// Serve. It is safe for concurrent use.
type Store struct {
	options Options
	authority

	mu      sync.Mutex
	version uint64
	leases  map[types.NamespacedName]*coordinationv1.Lease
	// log holds the latest commits; the first has version forgotten+1. Every
	// commit raises the version by one, so the position follows from it.
	log       []change
	forgotten uint64
	// grown is closed and replaced at every commit.
	grown chan struct{}
}

// change is one commit as watches see it.
type change struct {
	kind watch.EventType
	// before is nil for what has been added.
	before *coordinationv1.Lease
	after  *coordinationv1.Lease
}

// NewStore returns an empty Store.
func NewStore(options Options) *Store {
	if options.History <= 0 {
		options.History = DefaultHistory
	}
	return &Store{
		options:   options,
		version:   1,
		forgotten: 1,
		leases:    map[types.NamespacedName]*coordinationv1.Lease{},
		grown:     make(chan struct{}),
	}
}

// get returns the Lease or an error for which apierrors.IsNotFound is true.
// What is returned is shared and must not be changed.
func (s *Store) get(key types.NamespacedName) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lease, ok := s.leases[key]; ok {
		return lease, nil
	}
	return nil, apierrors.NewNotFound(leaseResource, key.Name)
}

// list returns the Leases that pass, sorted by namespace and name, and the
// version that the list is of.
func (s *Store) list(pass selection) ([]coordinationv1.Lease, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listLocked(pass), s.version
}

func (s *Store) listLocked(pass selection) []coordinationv1.Lease {
	items := []coordinationv1.Lease{}
	for _, lease := range s.leases {
		if pass.has(lease) {
			items = append(items, *lease.DeepCopy())
		}
	}
	slices.SortFunc(items, func(a, b coordinationv1.Lease) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return items
}

// create adds the Lease. The caller hands it over.
func (s *Store) create(lease *coordinationv1.Lease, endpoint string) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.createLocked(lease, endpoint)
}

func (s *Store) createLocked(lease *coordinationv1.Lease, endpoint string) (*coordinationv1.Lease, error) {
	if lease.Name == "" && lease.GenerateName != "" {
		lease.Name = lease.GenerateName + strings.ToLower(rand.Text()[:5])
	}
	if lease.ResourceVersion != "" {
		return nil, apierrors.NewInternalError(errors.New("resourceVersion should not be set on objects to be created"))
	}
	if err := validateNew(lease); err != nil {
		return nil, err
	}
	key := keyOf(lease)
	if _, ok := s.leases[key]; ok {
		return nil, apierrors.NewAlreadyExists(leaseResource, lease.Name)
	}
	lease.UID = uuid.NewUUID()
	lease.CreationTimestamp = metav1.Now().Rfc3339Copy()
	lease.DeletionTimestamp = nil
	lease.ManagedFields = nil
	return s.commit(watch.Added, nil, lease, endpoint), nil
}

// update replaces the Lease, or creates it when it does not exist, as a PUT on
// leases does. The caller hands it over. created says which it was; written is
// false where nothing had to be committed.
func (s *Store) update(lease *coordinationv1.Lease, endpoint string) (result *coordinationv1.Lease, created, written bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.leases[keyOf(lease)]
	if !ok {
		if lease.UID != "" {
			return nil, false, false, conflict(lease.Name, errGone(lease.UID))
		}
		lease.ResourceVersion = ""
		result, err = s.createLocked(lease, endpoint)
		return result, err == nil, err == nil, err
	}
	if err := checkUpdate(old, lease); err != nil {
		return nil, false, false, err
	}
	lease.ManagedFields = nil
	if unchanged(old, lease) {
		return old, false, false, nil
	}
	return s.commit(watch.Modified, old, lease, endpoint), false, true, nil
}

// remove deletes the Lease and returns what it was last.
func (s *Store) remove(key types.NamespacedName, preconditions *metav1.Preconditions, endpoint string) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lease, ok := s.leases[key]
	if !ok {
		return nil, apierrors.NewNotFound(leaseResource, key.Name)
	}
	if err := checkPreconditions(lease, preconditions); err != nil {
		return nil, err
	}
	return s.commit(watch.Deleted, lease, lease.DeepCopy(), endpoint), nil
}

// commit gives the Lease the next version, remembers the change and tells
// everyone. The Store is locked.
func (s *Store) commit(kind watch.EventType, before, after *coordinationv1.Lease, endpoint string) *coordinationv1.Lease {
	s.version++
	after.ResourceVersion = strconv.FormatUint(s.version, 10)
	after.TypeMeta = metav1.TypeMeta{APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: leaseKind.Kind}
	if kind == watch.Deleted {
		delete(s.leases, keyOf(after))
	} else {
		s.leases[keyOf(after)] = after
	}
	s.log = append(s.log, change{kind: kind, before: before, after: after})
	if excess := len(s.log) - s.options.History; excess > 0 {
		s.log = slices.Delete(s.log, 0, excess)
		s.forgotten += uint64(excess)
	}
	close(s.grown)
	s.grown = make(chan struct{})
	if s.options.OnCommit != nil {
		s.options.OnCommit(Commit{Time: time.Now(), Type: kind, Lease: after, Endpoint: endpoint})
	}
	return after
}

func keyOf(lease *coordinationv1.Lease) types.NamespacedName {
	return types.NamespacedName{Namespace: lease.Namespace, Name: lease.Name}
}
