package resourcelock

import (
	"encoding/json"
	"math"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LeaseDurationAnnotation states a lease that is no whole number of seconds,
// which the Lease API has no field for. It names the write it belongs to, by
// holder and renew time, so that it means nothing once anyone else has written:
// a peer that knows only whole seconds leaves the annotation in place, and is
// held to what it wrote itself.
const LeaseDurationAnnotation = "holdfast-go.github.io/lease-duration"

// fineDuration is the value of LeaseDurationAnnotation.
type fineDuration struct {
	Holder    string           `json:"holder"`
	RenewTime metav1.MicroTime `json:"renewTime"`
	Duration  string           `json:"duration"`
}

// WholeSeconds returns duration as a record carries it: rounded up, so that a
// peer which knows nothing finer waits at least as long as it should. A
// duration beyond what the API can hold becomes the longest that it can; one
// that is not positive becomes 0.
func WholeSeconds(duration time.Duration) int {
	if duration <= 0 {
		return 0
	}
	seconds := (duration-1)/time.Second + 1
	return int(min(seconds, math.MaxInt32))
}

// annotateDuration makes the annotations of lease say what its spec cannot.
func annotateDuration(lease *coordinationv1.Lease, record LeaderElectionRecord, duration time.Duration) {
	whole := time.Duration(record.LeaseDurationSeconds) * time.Second
	if record.HolderIdentity == "" || duration <= 0 || duration == whole {
		delete(lease.Annotations, LeaseDurationAnnotation)
		return
	}
	value, err := json.Marshal(fineDuration{
		Holder:    record.HolderIdentity,
		RenewTime: metav1.NewMicroTime(record.RenewTime.Time),
		Duration:  duration.String(),
	})
	if err != nil { // a struct of strings and a time always marshals
		delete(lease.Annotations, LeaseDurationAnnotation)
		return
	}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[LeaseDurationAnnotation] = string(value)
}

// durationOf returns the lease of a record: what annotation says where it
// belongs to this very write, else the record's whole seconds.
func durationOf(record LeaderElectionRecord, annotation string) time.Duration {
	whole := time.Duration(record.LeaseDurationSeconds) * time.Second
	if annotation == "" {
		return whole
	}
	var fine fineDuration
	if json.Unmarshal([]byte(annotation), &fine) != nil {
		return whole
	}
	duration, err := time.ParseDuration(fine.Duration)
	if err != nil || duration <= 0 {
		return whole
	}
	sameWrite := fine.Holder == record.HolderIdentity &&
		fine.RenewTime.Time.Truncate(time.Microsecond).Equal(record.RenewTime.Truncate(time.Microsecond)) &&
		WholeSeconds(duration) == record.LeaseDurationSeconds
	if !sameWrite {
		return whole
	}
	return duration
}
