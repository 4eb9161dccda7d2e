package podlabel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	clienttesting "k8s.io/client-go/testing"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

func TestAPodBearsTheLabelWhileItLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("a", false), pod("b", false))
		end := started(t, api.label("a"))
		synctest.Wait()
		assert.Equal(t, "a", api.bearers())
		time.Sleep(time.Hour)
		assert.Equal(t, "a", api.patched(), "a label that is where it belongs is not written again")
		end()
		assert.Empty(t, api.bearers())
	})
}

func TestANewLeaderTakesTheLabelFromOthersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("dead", true), pod("cut-off", true), pod("new", false))
		defer started(t, api.label("new"))()
		synctest.Wait()
		assert.Equal(t, "new", api.bearers())
		assert.Equal(t, "cut-off dead new", api.patched())
	})
}

func TestALeaderThatCannotTakeTheLabelDoesNotBearItBesideAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("old", true), pod("new", false))
		var refuses atomic.Bool
		refuses.Store(true)
		api.client.PrependReactor("patch", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
			refused := refuses.Load() && action.(clienttesting.PatchAction).GetName() == "old"
			return refused, nil, apierrors.NewForbidden(podResource, "old", errors.New("a policy"))
		})
		defer started(t, api.label("new"))()
		time.Sleep(time.Minute)
		assert.Equal(t, "old", api.bearers())
		refuses.Store(false)
		time.Sleep(DefaultEvery)
		synctest.Wait()
		assert.Equal(t, "new", api.bearers())
	})
}

// A proxy without a backend answers 404 and has asked nobody: neither Pod is gone.
func TestA404OfAProxyIsNoWordOnAPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("old", true), pod("new", false))
		var broken atomic.Bool
		api.client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return broken.Load(), nil, apierrors.NewGenericServerResponse(404, "patch", podResource, "it", "404 page not found", 0, true)
		})
		broken.Store(true)
		end := started(t, api.label("new"))
		time.Sleep(DefaultEvery)
		assert.Equal(t, "old", api.bearers(), "the label is not put on beside the old leader's")
		broken.Store(false)
		time.Sleep(DefaultEvery)
		synctest.Wait()
		assert.Equal(t, "new", api.bearers())
		broken.Store(true)
		time.AfterFunc(DefaultBound/2, func() { broken.Store(false) })
		end()
		assert.Empty(t, api.bearers(), "it is tried again")
	})
}

func TestWhatBecomesOfTheLabelIsMended(t *testing.T) {
	for name, change := range map[string]func(*pods){
		"taken off by hand": func(p *pods) { p.edit("a", func(pod *corev1.Pod) { delete(pod.Labels, DefaultKey) }) },
		"another value":     func(p *pods) { p.edit("a", func(pod *corev1.Pod) { pod.Labels[DefaultKey] = "other" }) },
		"put on another":    func(p *pods) { p.edit("b", func(pod *corev1.Pod) { pod.Labels[DefaultKey] = value }) },
		"moved to another": func(p *pods) {
			p.edit("a", func(pod *corev1.Pod) { delete(pod.Labels, DefaultKey) })
			p.edit("b", func(pod *corev1.Pod) { pod.Labels[DefaultKey] = value })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newPods(t, pod("a", false), pod("b", false))
				defer started(t, api.label("a"))()
				synctest.Wait()
				change(api)
				time.Sleep(pauseDone) // the look after the first comes soon
				synctest.Wait()
				assert.Equal(t, "a", api.bearers())

				time.Sleep(time.Hour)
				change(api)
				time.Sleep(DefaultEvery)
				synctest.Wait()
				assert.Equal(t, "a", api.bearers())
			})
		})
	}
}

// Between the list and the patch the other Pod leads again, and its label is new.
func TestAPodThatHasChangedSinceItWasListedIsLeftToTheNextLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("old", true), pod("new", false))
		api.client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			stale := pod("old", true)
			return api.patched() == "", &corev1.PodList{Items: []corev1.Pod{*stale}}, nil
		})
		api.edit("old", func(*corev1.Pod) {})
		defer started(t, api.label("new"))()
		time.Sleep(time.Second)
		assert.Equal(t, "old", api.bearers(), "it was listed as it is no more")
	})
}

func TestAPodThatIsGoneOrAnotherOneIsNotInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("new", false))
		api.client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, &corev1.PodList{Items: []corev1.Pod{*pod("gone", true)}}, nil
		})
		defer started(t, api.label("new"))()
		synctest.Wait()
		assert.Equal(t, "new", api.bearers())
	})
}

// A Pod of a StatefulSet has its predecessor's name.
func TestAPredecessorOfTheSameNameLosesTheLabelAndTakesNoneAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("web-0", false))
		old := api.label("web-0")
		end := started(t, old)
		synctest.Wait()
		api.edit("web-0", func(pod *corev1.Pod) { pod.UID = "another" }) // it was deleted and made anew, and leads
		end()
		assert.Equal(t, "web-0", api.bearers(), "the label of the new Pod")
		assert.NoError(t, old.Drop(t.Context()))
		assert.Equal(t, "web-0", api.bearers())
	})
}

func TestFailuresAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("a", false))
		var failures atomic.Int32
		fails := func(clienttesting.Action) (bool, runtime.Object, error) {
			return failures.Add(-1) >= 0, nil, apierrors.NewInternalError(errors.New("disk full"))
		}
		api.client.PrependReactor("*", "pods", fails)
		failures.Store(4)
		end := started(t, api.label("a"))
		time.Sleep(15 * pauseFailed)
		synctest.Wait()
		assert.Equal(t, "a", api.bearers())
		failures.Store(2)
		end()
		assert.Empty(t, api.bearers())
	})
}

// silent is the API of Pods that answer nothing; a deaf one ignores the end of the
// context too.
type silent struct {
	typedcorev1.PodInterface
	deaf  bool
	calls *atomic.Int32
	end   chan struct{}
}

func (s silent) wait(ctx context.Context) error {
	s.calls.Add(1)
	if s.deaf {
		<-s.end
		return errors.New("ended with the test")
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s silent) List(ctx context.Context, _ metav1.ListOptions) (*corev1.PodList, error) {
	return nil, s.wait(ctx)
}

func (s silent) Patch(ctx context.Context, _ string, _ types.PatchType, _ []byte, _ metav1.PatchOptions, _ ...string) (*corev1.Pod, error) {
	return nil, s.wait(ctx)
}

func TestASilentAPIHoldsTheEndForTheBoundAndNoLonger(t *testing.T) {
	for name, deaf := range map[string]bool{"silent": false, "deaf": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := silent{deaf: deaf, calls: new(atomic.Int32), end: make(chan struct{})}
				defer close(api.end)
				label, err := New(Config{Pods: api, Pod: "a", Value: value, Bound: 3 * time.Second})
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				var worked, returned time.Time
				done := make(chan struct{})
				go func() {
					defer close(done)
					label.Around(func(ctx context.Context) {
						<-ctx.Done()
						worked = time.Now()
					})(ctx)
					returned = time.Now()
				}()
				time.Sleep(time.Minute + 100*time.Millisecond)
				ended := time.Now()
				cancel()
				<-done
				assert.Equal(t, ended, worked, "the work's end waits for nothing")
				assert.LessOrEqual(t, returned.Sub(ended), 3*time.Second)
				assert.Less(t, api.calls.Load(), int32(40), "calls to an API that does not answer")
			})
		})
	}
}

func TestTheLabelStaysUntilTheTermEndsWhenTheWorkReturnsSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("a", false))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			api.label("a").Around(func(context.Context) {})(ctx)
		}()
		time.Sleep(time.Minute)
		assert.Equal(t, "a", api.bearers())
		cancel()
		<-done
		assert.Empty(t, api.bearers())
	})
}

// A request that puts the label on is under way when the term ends. It must not be
// executed after the one that takes the label off.
func TestTheLabelIsTakenOffAfterItWasPutOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newPods(t, pod("a", false))
		api.client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			if api.patched() == "" {
				time.Sleep(DefaultBound / 4)
			}
			return false, nil, nil
		})
		end := started(t, api.label("a"))
		time.Sleep(time.Millisecond)
		end()
		time.Sleep(time.Minute)
		assert.Empty(t, api.bearers())
		assert.Equal(t, "a a", api.patched())
	})
}

func TestWhoIsRestartedDropsTheLabelBeforeItContends(t *testing.T) {
	api := newPods(t, pod("a", true), pod("b", true))
	require.NoError(t, api.label("a").Drop(t.Context()))
	assert.Equal(t, "b", api.bearers())
	require.NoError(t, api.label("gone").Drop(t.Context()), "a Pod that is gone")
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "a", field.ErrorList{field.Invalid(field.NewPath("metadata", "labels"), "", "no")})
	assert.False(t, isAnother(invalid), "another field")
	api.client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(podResource, "b", errors.New("no right"))
	})
	err := api.label("b").Drop(t.Context())
	require.ErrorContains(t, err, "holdfast-go.github.io/leader-of=carts")
	assert.ErrorContains(t, err, "no right")
}

func TestWhatCannotBeUsedIsNamed(t *testing.T) {
	good := Config{Pods: newPods(t).client.CoreV1().Pods(namespace), Pod: "a", Value: value}
	_, err := New(good)
	require.NoError(t, err)
	for want, change := range map[string]func(*Config){
		"Config.Pods":          func(c *Config) { c.Pods = nil },
		`Config.Pod is "A_b"`:  func(c *Config) { c.Pod = "A_b" },
		`Config.Pod is ""`:     func(c *Config) { c.Pod = "" },
		`Config.Key is "a/b/"`: func(c *Config) { c.Key = "a/b/" },
		`Config.Value is ""`:   func(c *Config) { c.Value = "" },
		`Config.Value is "a/`:  func(c *Config) { c.Value = "a/b" },
		"Config.Bound is -1s":  func(c *Config) { c.Bound = -time.Second },
		"Config.Every is -1s":  func(c *Config) { c.Every = -time.Second },
	} {
		config := good
		change(&config)
		_, err := New(config)
		assert.ErrorContains(t, err, want)
	}
}
