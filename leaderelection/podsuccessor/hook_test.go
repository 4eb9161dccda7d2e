package podsuccessor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func api(pods ...corev1.Pod) *fake.Clientset {
	client := fake.NewClientset()
	for _, p := range pods {
		if err := client.Tracker().Add(&p); err != nil {
			panic(err) // two of one name
		}
	}
	return client
}

func config(client *fake.Clientset) Config {
	return Config{Pods: client.CoreV1().Pods("shop"), Pod: "leader", Selector: "app=carts"}
}

func TestOnlyPodsOfTheElectionAreNamed(t *testing.T) {
	another := pod("another", "new", 9, func(p *corev1.Pod) { p.Labels["app"] = "payments" })
	elsewhere := pod("elsewhere", "new", 9, func(p *corev1.Pod) { p.Namespace = "warehouse" })
	name, err := New(config(api(pod("leader", "old", 0), pod("a", "old", 1), another, elsewhere)))
	require.NoError(t, err)
	got, err := name(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "a", got)
}

// It takes the right to list Pods, and no other.
func TestPodsAreListedOnce(t *testing.T) {
	client := api(pod("a", "old", 1))
	name, err := New(config(client))
	require.NoError(t, err)
	_, err = name(t.Context())
	require.NoError(t, err)
	require.Len(t, client.Actions(), 1)
	assert.True(t, client.Actions()[0].Matches("list", "pods"))
}

func TestAnAPIThatRefusesOrIsSilentNamesNobodyInTime(t *testing.T) {
	end := make(chan struct{})
	for name, answer := range map[string]func(context.Context) error{
		"refuses": func(context.Context) error { return errors.New("forbidden") },
		"waits":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"hangs":   func(context.Context) error { <-end; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end = make(chan struct{})
				defer close(end)
				c := config(api(pod("a", "old", 1)))
				c.Pods = ill{c.Pods, answer}
				c.Bound = 300 * time.Millisecond
				hook, err := New(c)
				require.NoError(t, err)
				for range 20 { // more often than calls may hang
					began := time.Now()
					got, err := hook(t.Context())
					assert.ErrorContains(t, err, "listing the Pods of the election, app=carts: ")
					assert.Empty(t, got)
					assert.LessOrEqual(t, time.Since(began), 300*time.Millisecond)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, err = hook(ctx)
				assert.Error(t, err)
				assert.LessOrEqual(t, time.Since(began), 100*time.Millisecond)
			})
		})
	}
}

// ill answers a list with an error, or not.
type ill struct {
	typedcorev1.PodInterface
	answer func(context.Context) error
}

func (i ill) List(ctx context.Context, _ metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{}, i.answer(ctx)
}

func TestAConfigThatCannotWorkNamesItsField(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"Config.Pods is nil":        func(c *Config) { c.Pods = typedcorev1.PodInterface(nil) },
		`Config.Pod is ""`:          func(c *Config) { c.Pod = "" },
		`Config.Selector is ""`:     func(c *Config) { c.Selector = "" },
		`Config.Selector is "a in"`: func(c *Config) { c.Selector = "a in" },
		"Config.Bound is -1ns":      func(c *Config) { c.Bound = -1 },
	} {
		c := config(api())
		change(&c)
		_, err := New(c)
		assert.ErrorContains(t, err, want)
	}
}
