package witness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"github.com/holdfast-go/holdfast/internal/death/deathtest"
)

var line = string(deathtest.Word) + "\n"

// event is a line of a watch, as an API server sends it.
func event(kind watch.EventType, version string, object any) string {
	if pod, isPod := object.(*corev1.Pod); isPod {
		pod.ResourceVersion = version
		pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	}
	text, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

func status(code int32, reason metav1.StatusReason) metav1.Status {
	return metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: string(reason)}
}

// watches serves one watch after the other. Each is the lines that it sends, before
// it ends or, after the last, stays open. One that is a single Status is refused with it.
type watches struct {
	*httptest.Server
	asked chan url.Values
}

func serve(t *testing.T, scripts ...[]any) (*watches, *Pod) {
	t.Helper()
	s := &watches{asked: make(chan url.Values, 100)}
	next := make(chan []any, len(scripts))
	for _, script := range scripts {
		next <- script
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/api/v1/namespaces/kube-system/pods", r.URL.Path)
		assert.Equal(t, http.MethodGet, r.Method)
		s.asked <- r.URL.Query()
		var script []any
		select {
		case script = <-next:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if refusal, is := script[0].(metav1.Status); is {
			w.WriteHeader(int(refusal.Code))
			assert.NoError(t, json.NewEncoder(w).Encode(refusal))
			return
		}
		for _, part := range script {
			_, err := w.Write([]byte(part.(string)))
			assert.NoError(t, err)
			w.(http.Flusher).Flush()
		}
		if len(next) == 0 {
			<-r.Context().Done()
		}
	}))
	transport := &http.Transport{}
	client, err := corev1client.NewForConfigAndClient(&rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, &http.Client{Transport: transport})
	require.NoError(t, err)
	t.Cleanup(func() { transport.CloseIdleConnections(); s.Close() })
	return s, &Pod{Client: client}
}

func bound(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestAWatchOfThePodTellsOfTheDeath(t *testing.T) {
	gone := deathtest.Pod(nil, nil)
	gone.UID = "another"
	for name, script := range map[string][]any{
		"it has died already": {event(watch.Added, "1", deathtest.Pod(deathtest.Ended(137, line), nil))},
		"it dies":             {event(watch.Added, "1", deathtest.Pod(nil, nil)), event(watch.Modified, "2", deathtest.Pod(deathtest.Ended(137, line), nil))},
		"it is started anew":  {event(watch.Added, "1", deathtest.Pod(nil, nil)), event(watch.Modified, "2", deathtest.Pod(nil, deathtest.Ended(137, line)))},
		"it is deleted":       {event(watch.Added, "1", deathtest.Pod(nil, nil)), event(watch.Deleted, "2", deathtest.Pod(deathtest.Ended(137, line), nil))},
		"one of the same name was deleted before": {event(watch.Added, "1", gone), event(watch.Deleted, "2", gone),
			event(watch.Added, "3", deathtest.Pod(nil, nil)), event(watch.Modified, "4", deathtest.Pod(deathtest.Ended(0, line), nil))},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := serve(t, script)
			testimony := deathtest.Testimony().String()
			proof, err := p.Await(bound(t), testimony)
			require.NoError(t, err)
			assert.Contains(t, proof.Evidence, "has terminated")
			require.NoError(t, proof.Check(t.Context(), testimony))
			asked := <-s.asked
			assert.Equal(t, "metadata.name=controller-0", asked.Get("fieldSelector"))
			assert.Contains(t, []string{"1", "true"}, asked.Get("watch"))
			assert.Equal(t, "true", asked.Get("allowWatchBookmarks"))
			assert.Empty(t, asked.Get("resourceVersion"), "it begins with the state of now")
			assert.Empty(t, s.asked, "nothing else is asked")
		})
	}
}

func TestAPodThatIsDeletedWithoutAWordIsNoProof(t *testing.T) {
	for name, last := range map[string]*corev1.Pod{
		"by force":       deathtest.Pod(nil, nil),
		"the state lost": deathtest.Pod(deathtest.Ended(255, line), nil),
	} {
		t.Run(name, func(t *testing.T) {
			_, p := serve(t, []any{event(watch.Added, "1", deathtest.Pod(nil, nil)), event(watch.Deleted, "2", last)})
			_, err := p.Await(bound(t), deathtest.Testimony().String())
			require.ErrorIs(t, err, ErrNoProof)
			require.ErrorContains(t, err, "the Pod was deleted")
		})
	}
}

func TestAnAPIServerThatKnowsNoMoreIsAskedAnew(t *testing.T) {
	s, p := serve(t,
		[]any{event(watch.Added, "1", deathtest.Pod(nil, nil)), event(watch.Error, "", status(410, metav1.StatusReasonExpired))},
		[]any{event(watch.Added, "2", deathtest.Pod(deathtest.Ended(137, line), nil))},
	)
	_, err := p.Await(bound(t), deathtest.Testimony().String())
	require.NoError(t, err)
	for range 2 {
		assert.Empty(t, (<-s.asked).Get("resourceVersion"))
	}
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	s, p := serve(t, []any{event(watch.Added, "1", deathtest.Pod(nil, nil))})
	ctx, cancel := context.WithCancelCause(t.Context())
	answer := make(chan error, 1)
	go func() { _, err := p.Await(ctx, deathtest.Testimony().String()); answer <- err }()
	<-s.asked
	cancel(errors.New("the holder has changed"))
	require.EqualError(t, <-answer, "the holder has changed")
}

// stubbed is a client whose watches are a function.
type stubbed struct {
	corev1client.PodInterface
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

func (s stubbed) Pods(string) corev1client.PodInterface { return s }
func (s stubbed) Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return s.watch(ctx, options)
}

// shown is a watch that shows a Pod and ends.
func shown(kind watch.EventType, version string, pod *corev1.Pod) watch.Interface {
	pod.ResourceVersion = version
	w := watch.NewFakeWithChanSize(1, false)
	w.Action(kind, pod)
	w.Stop()
	return w
}

func TestAWatchGoesOnWhereTheLastOneEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expired, gone, broken := status(410, metav1.StatusReasonExpired), status(410, metav1.StatusReasonGone), status(500, metav1.StatusReasonInternalError)
		answers := []func() (watch.Interface, error){
			func() (watch.Interface, error) { return shown(watch.Added, "1", deathtest.Pod(nil, nil)), nil },
			func() (watch.Interface, error) { return shown(watch.Bookmark, "17", &corev1.Pod{}), nil },
			func() (watch.Interface, error) { return nil, apierrors.FromObject(&expired) },
			func() (watch.Interface, error) { return shown(watch.Added, "20", deathtest.Pod(nil, nil)), nil },
			func() (watch.Interface, error) { return nil, apierrors.FromObject(&gone) },
			func() (watch.Interface, error) { return shown(watch.Added, "21", deathtest.Pod(nil, nil)), nil },
			func() (watch.Interface, error) { return nil, apierrors.FromObject(&broken) },
			func() (watch.Interface, error) { return nil, errors.New("connection refused") },
			func() (watch.Interface, error) {
				return shown(watch.Deleted, "22", deathtest.Pod(deathtest.Ended(137, line), nil)), nil
			},
		}
		var from []string
		p := &Pod{Client: stubbed{watch: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
			from = append(from, options.ResourceVersion)
			return answers[len(from)-1]()
		}}}
		_, err := p.Await(t.Context(), deathtest.Testimony().String())
		require.NoError(t, err)
		assert.Equal(t, []string{"", "1", "17", "", "20", "", "21", "21", "21"}, from)
	})
}

func TestAWatchThatFailsIsTriedAtAPaceThatNobodyNotices(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, c := range map[string]struct {
		fails         func() (watch.Interface, error)
		least, most   int // in an hour
		linesOfTheLog int
	}{
		"forbidden":    {func() (watch.Interface, error) { return nil, apierrors.NewForbidden(pods, "", errors.New("no")) }, 10, 13, 1},
		"unauthorized": {func() (watch.Interface, error) { return nil, apierrors.NewUnauthorized("no") }, 10, 13, 1},
		"unreachable":  {func() (watch.Interface, error) { return nil, errors.New("connection refused") }, 90, 130, 0},
		"asks to wait": {func() (watch.Interface, error) { return nil, apierrors.NewTooManyRequests("no", 600) }, 5, 7, 0},
		"ends at once": {func() (watch.Interface, error) { w := watch.NewFake(); w.Stop(); return w, nil }, 90, 130, 0},
		"garbage": {func() (watch.Interface, error) {
			w := watch.NewFakeWithChanSize(1, false)
			w.Add(&corev1.Secret{})
			return w, nil
		}, 90, 130, 0},
		"no object": {func() (watch.Interface, error) {
			w := watch.NewFakeWithChanSize(1, false)
			w.Add(nil)
			return w, nil
		}, 90, 130, 0},
		"error": {func() (watch.Interface, error) {
			w := watch.NewFakeWithChanSize(1, false)
			s := status(500, metav1.StatusReasonInternalError)
			w.Error(&s)
			return w, nil
		}, 90, 130, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				p := &Pod{Client: stubbed{watch: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
					asked++
					return c.fails()
				}}}
				var log bytes.Buffer
				ctx := klog.NewContext(t.Context(), textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&log))))
				ctx, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				_, err := p.Await(ctx, deathtest.Testimony().String())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.GreaterOrEqual(t, asked, c.least)
				assert.LessOrEqual(t, asked, c.most)

				again, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				_, err = p.Await(again, deathtest.Testimony().String())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, c.linesOfTheLog, strings.Count(log.String(), "may not be watched"), log.String())
				assert.Equal(t, c.linesOfTheLog, strings.Count(log.String(), "\n"), log.String())
			})
		})
	}
}

func TestAServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened, open atomic.Int64
		p := &Pod{Client: stubbed{watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			switch opened.Add(1) {
			case 1: // does not answer
				<-ctx.Done()
				return nil, ctx.Err()
			case 2: // answers, and then never again
				w := watch.NewFake()
				open.Add(1)
				context.AfterFunc(ctx, func() { open.Add(-1) })
				return w, nil
			}
			w := watch.NewFakeWithChanSize(1, false)
			w.Add(deathtest.Pod(deathtest.Ended(137, line), nil))
			return w, nil
		}}}
		start := time.Now()
		_, err := p.Await(t.Context(), deathtest.Testimony().String())
		require.NoError(t, err)
		assert.Less(t, time.Since(start), 7*time.Minute)
		assert.EqualValues(t, 3, opened.Load())
		synctest.Wait()
		assert.Zero(t, open.Load())
	})
}

func TestAPodWithoutAClientProvesNothing(t *testing.T) {
	_, err := (&Pod{}).Await(t.Context(), deathtest.Testimony().String())
	require.ErrorIs(t, err, ErrNoProof)
	require.ErrorContains(t, err, "Pod.Client is nil")
	_, err = (&Pod{Client: stubbed{}}).Await(t.Context(), "garbage")
	require.ErrorIs(t, err, ErrNoProof)
}

func TestThePaceGrowsAndComesBack(t *testing.T) {
	p := newPace()
	at := func(err error, lasted time.Duration) time.Duration {
		pause := p.next(err, lasted)
		assert.GreaterOrEqual(t, pause, p.pause)
		assert.Less(t, pause, p.pause+p.pause/4)
		return p.pause
	}
	none := errors.New("ended")
	for _, want := range []time.Duration{shortestPause, 2 * shortestPause, 4 * shortestPause} {
		assert.Equal(t, want, at(none, 0))
	}
	for range 20 {
		at(none, 0)
	}
	assert.Equal(t, longestPause, at(none, 0))
	assert.Equal(t, shortestPause, at(none, steady), "a watch that lasted")
	assert.Equal(t, refusedPause, at(apierrors.NewForbidden(schema.GroupResource{}, "", nil), steady))
}
