package story

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// account is what happened in a scene.
type account struct {
	mu      sync.Mutex
	closed  bool
	entries []entry
	// last is the record as last written by a contender.
	last coordinationv1.LeaseSpec
}

// entry is one thing that happened to one contender.
type entry struct {
	at        time.Time
	who, kind string
	what      string
}

// at one moment these come in this order, the rest after them: goroutines that
// run at the same moment have none of their own.
var order = []string{"— cancelled —", "the work's context ends", "the work returns", "creates", "claims", "renews", "releases", "OnNewLeader", "OnStartedLeading", "OnStoppedLeading", "Run returns"}

func (e entry) rank() int {
	return slices.IndexFunc(order, func(beginning string) bool { return strings.HasPrefix(e.what, beginning) })
}

func (a *account) add(who, kind, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addLocked(who, kind, what)
}

func (a *account) addLocked(who, kind, what string) {
	if !a.closed {
		a.entries = append(a.entries, entry{time.Now(), who, kind, what})
	}
}

// close ends the account: what happens while a scene is cleared is not in it.
func (a *account) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}

// wrote notes a write of a contender's.
func (a *account) wrote(who string, lease *coordinationv1.Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	spec, before := lease.Spec, a.last
	a.last = spec
	same := func(x, y *metav1.MicroTime) bool { return x != nil && y != nil && x.Equal(y) }
	verb := "claims"
	switch {
	case *spec.HolderIdentity == "":
		verb = "releases"
	case lease.ResourceVersion == "":
		verb = "creates"
	case before.HolderIdentity != nil && *before.HolderIdentity == *spec.HolderIdentity && same(before.AcquireTime, spec.AcquireTime):
		verb = "renews"
		if spec.RenewTime.Sub(before.RenewTime.Time) < time.Millisecond {
			verb = "renews at once"
		}
	}
	a.addLocked(who, "calls", fmt.Sprintf("%s: %d s, transitions %d", verb, *spec.LeaseDurationSeconds, *spec.LeaseTransitions))
	if verb != "renews" && !same(spec.AcquireTime, spec.RenewTime) {
		a.addLocked(who, "record", "acquireTime is not renewTime")
	}
	for _, key := range slices.Sorted(maps.Keys(lease.Annotations)) {
		a.addLocked(who, "record", "annotation "+key)
	}
}

// when returns the times at which something happened that begins so.
func (a *account) when(who, beginning string) (times []time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if e.who == who && strings.HasPrefix(e.what, beginning) {
			times = append(times, e.at)
		}
	}
	return times
}

// told returns what happened to each contender, by kind, in order. What happens
// again and again is told once.
func (a *account) told() map[string][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	entries := slices.Clone(a.entries)
	slices.SortStableFunc(entries, func(x, y entry) int {
		return cmp.Or(x.at.Compare(y.at), cmp.Compare(uint(x.rank()), uint(y.rank()))) // #nosec G115 -- no rank is last
	})
	lines := map[string][]string{}
	for _, e := range entries {
		of := e.who + " " + e.kind
		seen := lines[of]
		if e.kind == "record" && slices.Contains(seen, e.what) || len(seen) > 0 && seen[len(seen)-1] == e.what {
			continue
		}
		lines[of] = append(seen, e.what)
	}
	return lines
}

// String is the account, for people.
func (a *account) String() string {
	var b strings.Builder
	told := a.told()
	for _, of := range slices.Sorted(maps.Keys(told)) {
		fmt.Fprintf(&b, "  %s: %s\n", of, strings.Join(told[of], "; "))
	}
	return b.String()
}

// differences compares two accounts. Each line that only client-go's has begins
// with -, each that only ours has with +.
func differences(theirs, ours *account) (found []string) {
	one, other := theirs.told(), ours.told()
	all := maps.Clone(one)
	maps.Copy(all, other)
	for _, of := range slices.Sorted(maps.Keys(all)) {
		for _, line := range compare(one[of], other[of]) {
			found = append(found, line[:1]+" "+of+": "+line[1:])
		}
	}
	return found
}

// compare returns what is not in the longest common sequence of lines.
func compare(a, b []string) (found []string) {
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			found, i = append(found, "-"+a[i]), i+1
		default:
			found, j = append(found, "+"+b[j]), j+1
		}
	}
	return found
}
