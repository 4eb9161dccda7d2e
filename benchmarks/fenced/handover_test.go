package fenced

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// tried is one write of a contender's.
type tried struct {
	sent, answered time.Time
	err            error
}

// writer writes through one API server, again and again, until it is stopped.
type writer struct {
	stop  context.CancelFunc
	tries chan []tried
}

func (s *stage) writes(t *testing.T, client kubernetes.Interface, name string) writer {
	ctx, stop := context.WithCancel(t.Context())
	w := writer{stop, make(chan []tried, 1)}
	go func() {
		var all []tried
		for n := 0; ctx.Err() == nil; n++ {
			one := tried{sent: time.Now()}
			_, one.err = client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), name, types.MergePatchType, fmt.Appendf(nil, `{"data":{"n":"%d"}}`, n), metav1.PatchOptions{})
			one.answered = time.Now()
			all = append(all, one)
		}
		w.tries <- all
	}()
	return w
}

func (w writer) all() []tried {
	w.stop()
	return <-w.tries
}

// The lease changes hands while the old holder and the new one write through every
// API server all the time.
func TestHandovers(t *testing.T) {
	s := newStage(t, "", "", "")
	holder := 0
	s.holds(t, s.pods[holder].identity, 0)
	for i := range s.admin {
		for pod := range s.pods {
			it := configMap(fmt.Sprintf("it-%d-%d", pod, i))
			it.Data = map[string]string{"n": ""}
			_, err := s.admin[0].CoreV1().ConfigMaps(namespace).Create(t.Context(), it, metav1.CreateOptions{})
			require.NoError(t, err)
		}
	}
	s.install(t, s.fence(t, "configmaps"))

	var lastOld, firstNew []time.Duration
	refused := 0
	for range *handovers {
		old, next := holder, 1-holder
		var writers [2][]writer
		for pod := range s.pods {
			for i, client := range s.pods[pod].clients {
				writers[pod] = append(writers[pod], s.writes(t, client, fmt.Sprintf("it-%d-%d", pod, i)))
			}
		}
		time.Sleep(50 * time.Millisecond) // both write
		s.holds(t, s.pods[next].identity, 0)
		taken := time.Now()
		var wg sync.WaitGroup
		for i := range s.admin { // until each server lets the new one write, and the old one no more
			wg.Go(func() {
				s.until(t, "the takeover", func(ctx context.Context) error {
					_, err := s.pods[next].clients[i].CoreV1().ConfigMaps(namespace).Create(ctx, configMap("probe"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
					return err
				})
			})
		}
		wg.Wait()
		time.Sleep(50 * time.Millisecond)
		for i := range s.admin {
			last, first := time.Duration(0), time.Duration(-1)
			for _, one := range writers[old][i].all() {
				require.True(t, one.err == nil || fence.Refused(one.err, s.lease), "%v", one.err)
				if one.err == nil {
					last = max(last, one.sent.Sub(taken))
				}
			}
			for _, one := range writers[next][i].all() {
				require.True(t, one.err == nil || fence.Refused(one.err, s.lease), "%v", one.err)
				switch {
				case one.err == nil && first < 0:
					first = max(0, one.answered.Sub(taken))
				case one.err != nil && one.sent.After(taken):
					refused++
				}
			}
			require.GreaterOrEqual(t, first, time.Duration(0), "the new holder wrote nothing")
			lastOld, firstNew = append(lastOld, last), append(firstNew, first)
		}
		holder = next
	}
	slices.Sort(lastOld)
	slices.Sort(firstNew)
	t.Logf("figure: fence: %d handovers through %d API servers: the old holder's last accepted write was sent %v (median), %v (max) after the takeover was acknowledged; the new holder's first was answered %v (median), %v (max) after it; %d writes of the new holder were refused after it",
		*handovers, len(s.admin), lastOld[len(lastOld)/2], lastOld[len(lastOld)-1], firstNew[len(firstNew)/2], firstNew[len(firstNew)-1], refused)
	assert.Less(t, lastOld[len(lastOld)-1], time.Second, "the old holder wrote on")
	assert.Less(t, firstNew[len(firstNew)-1], 2*time.Second, "the new holder was kept from writing")
}
