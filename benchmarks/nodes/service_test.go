package nodes

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// A new leader is reached by the Service within a second of the beginning of its term, on
// top of what kube-proxy waits for between two changes of its rules: taking the label from
// the old and giving it to the new are two. For as long as it waits a client may get
// answers of two.
const soonServed = time.Second

// A Service that selects the leader's label leads to the new leader soon, through real
// kube-proxies: after a handover, after a death that is proven, and after a leader was
// cut off.
func TestAServiceLeadsToTheLeader(t *testing.T) {
	s := theStage(t)
	for name, end := range map[string]func(t *testing.T, a *act){
		"handover": func(t *testing.T, a *act) {
			require.NoError(t, s.api.CoreV1().Pods(namespace).Delete(a.ctx, a.pod.Name, metav1.DeleteOptions{}))
		},
		"death": func(t *testing.T, a *act) { require.NoError(t, a.process.Kill()) },
		"cut off": func(t *testing.T, a *act) {
			require.NoError(t, a.left.Host().Cut())
			t.Cleanup(func() { assert.NoError(t, a.left.Host().Mend()) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := &act{t: t, ctx: bounded(t), s: s, left: s.Nodes[0], play: s.NewPlay("label", waiting)}
			t.Cleanup(func() { assert.NoError(t, a.play.End(context.Background())) })
			address, err := a.play.Serve(a.ctx)
			require.NoError(t, err)
			a.scene, err = a.play.pair(a.ctx, a.play.labelled(Member{}))
			require.NoError(t, err)
			visitors := map[time.Duration]*Visitor{}
			for i, n := range s.Nodes {
				if pace := proxyPaces[i]; name != "cut off" || n != a.left {
					visitors[pace] = VisitFrom(n, address)
					defer visitors[pace].Close()
				}
			}
			for _, v := range visitors {
				_, err = v.Reached(a.ctx, a.leader.Who)
				require.NoError(t, err)
			}

			end(t, a)
			next, err := a.play.Leads(a.ctx, a.leader.Who)
			require.NoError(t, err)
			for pace, v := range visitors {
				reached, err := v.Reached(a.ctx, next.Who)
				require.NoError(t, err)
				_ = stage.Pause(a.ctx, 2*time.Second)
				late, both := reached.Sub(next.Terms[0].From), Both(v.Visits(), next.Who)
				t.Logf("figure: %s: the Service leads to the new leader %s after its term began, and for %s a client got answers of two; kube-proxy waits %s between changes",
					name, late.Round(time.Millisecond), both.Round(time.Millisecond), pace)
				assert.Less(t, late, soonServed+pace)
				assert.LessOrEqual(t, both, pace)
			}
			assert.NoError(t, a.process.Close())
			assert.NoError(t, a.play.Verdict())
		})
	}
}

func TestAnswersOfTwoAreSeen(t *testing.T) {
	v := func(ms int, who string) Visit { return Visit{at(ms), who} }
	assert.Zero(t, Both([]Visit{v(1, "a"), v(2, ""), v(3, "b"), v(4, ""), v(5, "b")}, "b"))
	assert.Equal(t, 3*time.Millisecond, Both([]Visit{v(1, "a"), v(3, "b"), v(5, "a"), v(6, "a"), v(7, "b")}, "b"))
}
