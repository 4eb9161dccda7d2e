package resourcelock

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestASuccessorIsNamedByTheReleaseThatStands(t *testing.T) {
	released := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC))
	entry := Entry{
		Record:   LeaderElectionRecord{LeaseDurationSeconds: 1, AcquireTime: released, RenewTime: released},
		Duration: time.Second, Mark: "process.1", Successor: "b",
	}
	for name, test := range map[string]struct {
		write func(*Entry)
		edit  func(*coordinationv1.Lease)
		want  string
	}{
		"its own write":      {want: "b"},
		"labels were edited": {edit: func(l *coordinationv1.Lease) { l.Labels = map[string]string{"a": "b"} }, want: "b"},
		"another has released since, as client-go does": {edit: func(l *coordinationv1.Lease) { l.Spec.RenewTime = &metav1.MicroTime{Time: released.Add(time.Second)} }},
		"another has taken it": {edit: func(l *coordinationv1.Lease) {
			l.Spec.HolderIdentity, l.Spec.RenewTime = ptr.To("c"), &metav1.MicroTime{Time: released.Add(time.Second)}
		}},
		"a holder was written by hand":  {edit: func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("c") }},
		"annotations were stripped":     {edit: func(l *coordinationv1.Lease) { l.Annotations = nil }},
		"the annotation is damaged":     {edit: func(l *coordinationv1.Lease) { l.Annotations[WriteAnnotation] = `{"successor":5}` }},
		"it names nobody":               {write: func(e *Entry) { e.Successor = "" }},
		"it marks nothing":              {write: func(e *Entry) { e.Mark = "" }},
		"it is too long":                {write: func(e *Entry) { e.Successor = strings.Repeat("x", MaxSuccessor+1) }},
		"it is as long as it may be":    {write: func(e *Entry) { e.Successor = strings.Repeat("x", MaxSuccessor) }, want: strings.Repeat("x", MaxSuccessor)},
		"it is no UTF-8":                {write: func(e *Entry) { e.Successor = "\xff" }},
		"a holder's write names nobody": {write: func(e *Entry) { e.Record.HolderIdentity = "a" }},
		"a holder's write, emptied by hand": {write: func(e *Entry) { e.Record.HolderIdentity = "a" }, edit: func(l *coordinationv1.Lease) {
			l.Spec.HolderIdentity = nil
			l.Annotations[WriteAnnotation] = strings.Replace(l.Annotations[WriteAnnotation], "{", `{"successor":"b",`, 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			written, lease := entry, &coordinationv1.Lease{}
			if test.write != nil {
				test.write(&written)
			}
			lease.Spec = LeaderElectionRecordToLeaseSpec(&written.Record)
			annotate(lease, written)
			if test.edit != nil {
				test.edit(lease)
			}
			assert.Equal(t, test.want, (&LeaseLock{}).snapshot(lease).Successor())
		})
	}
}
