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

func TestATestimonyIsTheHoldersWhileItsOwnWriteStands(t *testing.T) {
	renewed := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC))
	entry := Entry{
		Record:   LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: 15, AcquireTime: renewed, RenewTime: renewed},
		Duration: 15 * time.Second, Mark: "process.1", Testimony: `{"process":"a socket"}`,
	}
	for name, test := range map[string]struct {
		write func(*Entry)
		edit  func(*coordinationv1.Lease)
		want  string
	}{
		"its own write":      {want: entry.Testimony},
		"labels were edited": {edit: func(l *coordinationv1.Lease) { l.Labels = map[string]string{"a": "b"} }, want: entry.Testimony},
		"another holder has written, as client-go does": {edit: func(l *coordinationv1.Lease) {
			l.Spec.HolderIdentity, l.Spec.RenewTime = ptr.To("b"), &metav1.MicroTime{Time: renewed.Add(time.Second)}
		}},
		"client-go has written under the same name": {edit: func(l *coordinationv1.Lease) { l.Spec.RenewTime = &metav1.MicroTime{Time: renewed.Add(time.Second)} }},
		"it was renamed by hand":                    {edit: func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("b") }},
		"it was renamed by hand to another case":    {edit: func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("A") }},
		"it was emptied by hand":                    {edit: func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil }},
		"annotations were stripped":                 {edit: func(l *coordinationv1.Lease) { l.Annotations = nil }},
		"the annotation is damaged":                 {edit: func(l *coordinationv1.Lease) { l.Annotations[WriteAnnotation] = `{"testimony":5}` }},
		"it has left nothing":                       {write: func(e *Entry) { e.Testimony = "" }},
		"it marks nothing":                          {write: func(e *Entry) { e.Mark = "" }},
		"it is too long":                            {write: func(e *Entry) { e.Testimony = strings.Repeat("x", MaxTestimony+1) }},
		"it is no UTF-8":                            {write: func(e *Entry) { e.Testimony = "\xff" }},
		"a release":                                 {write: func(e *Entry) { e.Record.HolderIdentity = "" }},
		"one that is too long was put there": {edit: func(l *coordinationv1.Lease) {
			l.Annotations[WriteAnnotation] = strings.ReplaceAll(l.Annotations[WriteAnnotation], "a socket", strings.Repeat("x", MaxTestimony))
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
			assert.Equal(t, test.want, (&LeaseLock{}).snapshot(lease).Testimony())
		})
	}
}
