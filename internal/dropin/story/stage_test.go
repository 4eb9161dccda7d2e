package story

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	upstream "k8s.io/client-go/tools/leaderelection"
	upstreamlock "k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

const (
	s           = time.Second
	atOnce      = 100 * time.Millisecond
	toStop      = 5 * s // how long work takes to stop: several renewals
	lease       = 15 * s
	deadline    = 10 * s
	retry       = 2 * s
	longestPoll = 4400 * time.Millisecond // RetryPeriod × (1 + JitterFactor)
)

// elector is what both libraries' electors can do.
type elector interface {
	Run(ctx context.Context)
	IsLeader() bool
	GetLeader() string
	Check(maxTolerableExpiredLease time.Duration) error
}

// settings are what both libraries are told.
type settings struct {
	identity               string
	lease, deadline, retry time.Duration
	release                bool
	callbacks              upstream.LeaderCallbacks
	name                   string
	client                 kubernetes.Interface
	recorder               upstreamlock.EventRecorder
}

// A library makes electors from settings.
type library struct {
	name string
	make func(settings) (elector, error)
}

var (
	theirs = library{"client-go", func(c settings) (elector, error) {
		return upstream.NewLeaderElector(upstream.LeaderElectionConfig{
			Lock: &upstreamlock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: c.client.CoordinationV1(),
				LockConfig: upstreamlock.ResourceLockConfig{Identity: c.identity, EventRecorder: c.recorder},
			},
			LeaseDuration: c.lease, RenewDeadline: c.deadline, RetryPeriod: c.retry,
			ReleaseOnCancel: c.release, Callbacks: c.callbacks, Name: c.name,
		})
	}}
	ours = library{"holdfast", func(c settings) (elector, error) {
		return leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: c.client.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: c.identity, EventRecorder: c.recorder},
			},
			LeaseDuration: c.lease, RenewDeadline: c.deadline, RetryPeriod: c.retry,
			ReleaseOnCancel: c.release, Callbacks: c.callbacks, Name: c.name,
		})
	}}
)

// stage is where one library plays a scene: a Lease API, and the contenders for
// one Lease of it.
type stage struct {
	t          *testing.T
	library    library
	account    *account
	api        http.RoundTripper
	admin      kubernetes.Interface
	contenders []*contender
}

// perform plays a scene under a library and returns what happened.
func perform(t *testing.T, library library, play func(*stage)) *account {
	happened := &account{}
	synctest.Test(t, func(t *testing.T) {
		store := leaseapi.NewStore(leaseapi.Options{})
		listener := newPipeListener()
		server := &http.Server{Handler: store.Handler("api"), ReadHeaderTimeout: time.Hour}
		served := make(chan struct{})
		go func() { defer close(served); _ = server.Serve(listener) }()
		transport := &http.Transport{DialContext: listener.dial}
		st := &stage{t: t, library: library, account: happened, api: transport}
		st.admin = st.client(transport)
		playing.set(happened)

		play(st)

		happened.close()
		for _, c := range st.contenders {
			c.end()
		}
		transport.CloseIdleConnections()
		require.NoError(t, server.Close())
		<-served
	})
	return happened
}

func (st *stage) client(through http.RoundTripper) kubernetes.Interface {
	config := &rest.Config{Host: "http://api", QPS: -1, ContentConfig: rest.ContentConfig{ContentType: runtime.ContentTypeJSON}}
	client, err := kubernetes.NewForConfigAndClient(config, &http.Client{Transport: through})
	require.NoError(st.t, err)
	return client
}

// after lets d pass.
func (st *stage) after(d time.Duration) {
	time.Sleep(d) // virtual
	synctest.Wait()
}

// edit changes the Lease by hand.
func (st *stage) edit(change func(*coordinationv1.Lease)) {
	leases := st.admin.CoordinationV1().Leases("default")
	it, err := leases.Get(st.t.Context(), "it", metav1.GetOptions{})
	require.NoError(st.t, err)
	change(it)
	_, err = leases.Update(st.t.Context(), it, metav1.UpdateOptions{})
	require.NoError(st.t, err)
}

// remove deletes the Lease.
func (st *stage) remove() {
	require.NoError(st.t, st.admin.CoordinationV1().Leases("default").Delete(st.t.Context(), "it", metav1.DeleteOptions{}))
}

// contender is one process that contends.
type contender struct {
	stage *stage
	name  string
	elector
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	begun   time.Time

	mu        sync.Mutex
	fault     fault
	requested time.Time
}

// fault is what becomes of a request, and of the Lease that it writes; nil lets
// all pass.
type fault func(r *http.Request, written *coordinationv1.Lease, pass func() (*http.Response, error)) (*http.Response, error)

// silence is a network that nothing comes out of.
func silence(r *http.Request, _ *coordinationv1.Lease, _ func() (*http.Response, error)) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// slow holds each answer back, but not a watch.
func slow(by time.Duration) fault {
	return func(r *http.Request, _ *coordinationv1.Lease, pass func() (*http.Response, error)) (*http.Response, error) {
		answer, err := pass()
		if r.URL.Query().Get("watch") != "" {
			return answer, err
		}
		select {
		case <-r.Context().Done():
			if err == nil {
				_ = answer.Body.Close()
			}
			return nil, r.Context().Err()
		case <-time.After(by):
			return answer, err
		}
	}
}

// refuseWrites refuses writes as RBAC does.
func refuseWrites(r *http.Request, _ *coordinationv1.Lease, pass func() (*http.Response, error)) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return pass()
	}
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden, Message: "forbidden",
	})
	return &http.Response{
		StatusCode: http.StatusForbidden, Request: r, Body: io.NopCloser(bytes.NewReader(body)),
		Header: http.Header{"Content-Type": {runtime.ContentTypeJSON}},
	}, err
}

// storesShorter stores another duration than was written, and nothing that says so, as
// admission may.
func storesShorter(seconds int32) fault {
	return func(r *http.Request, written *coordinationv1.Lease, pass func() (*http.Response, error)) (*http.Response, error) {
		if r.Method != http.MethodGet {
			written.Spec.LeaseDurationSeconds, written.Annotations = &seconds, nil
			body, err := json.Marshal(written)
			if err != nil {
				return nil, err
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		return pass()
	}
}

// refuseRenewals refuses what does not give the lease up.
func refuseRenewals(r *http.Request, written *coordinationv1.Lease, pass func() (*http.Response, error)) (*http.Response, error) {
	if written.Spec.HolderIdentity != nil && *written.Spec.HolderIdentity == "" {
		return pass()
	}
	return refuseWrites(r, written, pass)
}

// loseAnAnswer lets the next write be made, and breaks the connection before its
// answer.
func loseAnAnswer() fault {
	var lost atomic.Bool
	return func(r *http.Request, _ *coordinationv1.Lease, pass func() (*http.Response, error)) (*http.Response, error) {
		answer, err := pass()
		if r.Method == http.MethodGet || err != nil || lost.Swap(true) {
			return answer, err
		}
		_ = answer.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
}

func (c *contender) meets(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

func (c *contender) lastRequest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requested
}

// RoundTrip takes a request through what happens to the contender's network, and
// notes what it has written.
func (c *contender) RoundTrip(r *http.Request) (*http.Response, error) {
	var written coordinationv1.Lease
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := json.Unmarshal(body, &written); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	f := c.fault
	c.requested = time.Now()
	c.mu.Unlock()
	pass := func() (*http.Response, error) {
		answer, err := c.stage.api.RoundTrip(r)
		if err == nil && answer.StatusCode < http.StatusMultipleChoices && r.Method != http.MethodGet {
			c.stage.account.wrote(c.name, &written)
		}
		return answer, err
	}
	if f == nil {
		return pass()
	}
	return f(r, &written, pass)
}

// Eventf makes the contender the recorder of its own events.
func (c *contender) Eventf(_ runtime.Object, _, _, message string, args ...any) {
	c.stage.account.add(c.name, "events", fmt.Sprintf(message, args...))
}

// contends begins a contender. Its work takes toStop to stop.
func (st *stage) contends(name string, changes ...func(*settings)) *contender {
	c := st.made(name, changes...)
	c.begins()
	return c
}

// made makes a contender, which does not run yet.
func (st *stage) made(name string, changes ...func(*settings)) *contender {
	st.t.Helper()
	c := &contender{stage: st, name: name}
	said := func(format string, args ...any) { st.account.add(name, "calls", fmt.Sprintf(format, args...)) }
	config := settings{
		identity: name, lease: lease, deadline: deadline, retry: retry, name: name, client: st.client(c), recorder: c,
		callbacks: upstream.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				said("OnStartedLeading")
				<-ctx.Done()
				said("the work's context ends")
				st.account.add(name, "cause", causeOf(ctx))
				time.Sleep(toStop)
				said("the work returns")
			},
			OnStoppedLeading: func() { said("OnStoppedLeading") },
			OnNewLeader:      func(holder string) { said("OnNewLeader(%q)", holder) },
		},
	}
	for _, change := range changes {
		change(&config)
	}
	var err error
	c.elector, err = st.library.make(config)
	if err != nil {
		said("refused")
		return c
	}
	st.contenders = append(st.contenders, c)
	return c
}

// causeOf says why the work's context ended: the context's own word, or the type
// that tells more.
func causeOf(ctx context.Context) string {
	cause := context.Cause(ctx)
	if ended, ok := cause.(*leaderelection.TermEndedError); ok { //nolint:errorlint // what it is, not what it wraps
		return "TermEndedError " + string(ended.Reason)
	}
	return cause.Error()
}

// begins calls Run; calls beside each other are a scene of their own.
func (c *contender) begins() {
	c.begun = time.Now()
	ctx, cancel := context.WithCancelCause(klog.NewContext(context.Background(), logr.New(levels{c})))
	if c.cancel == nil {
		c.cancel = cancel
	} else {
		first := c.cancel
		c.cancel = func(cause error) { first(cause); cancel(cause) }
	}
	c.running.Go(func() {
		c.Run(ctx)
		c.stage.account.add(c.name, "calls", "Run returns")
	})
}

// stops cancels Run's context.
func (c *contender) stops() {
	c.stage.account.add(c.name, "calls", "— cancelled —")
	c.cancel(nil)
}

// end ends a contender after the scene.
func (c *contender) end() {
	if c.cancel != nil {
		c.cancel(nil)
	}
	c.meets(silence)
	time.Sleep(10 * time.Minute) // its calls to the lock give up, its work stops
	c.running.Wait()
	synctest.Wait()
}

// fact notes something that a scene has found out.
func (c *contender) fact(format string, args ...any) {
	c.stage.account.add(c.name, "facts", fmt.Sprintf(format, args...))
}

// levels notes the level of each line that is printed by default.
type levels struct{ c *contender }

func (l levels) Init(logr.RuntimeInfo)             {}
func (l levels) Enabled(level int) bool            { return level == 0 }
func (l levels) Info(_ int, _ string, _ ...any)    { l.c.stage.account.add(l.c.name, "log", "info") }
func (l levels) Error(_ error, _ string, _ ...any) { l.c.stage.account.add(l.c.name, "log", "error") }
func (l levels) WithValues(_ ...any) logr.LogSink  { return l }
func (l levels) WithName(_ string) logr.LogSink    { return l }

// metrics notes what each library tells its provider of metrics, which it takes
// once in the life of a process.
type metrics struct {
	mu      sync.Mutex
	account *account
}

var playing metrics

func TestMain(m *testing.M) {
	upstream.SetProvider(&playing)
	leaderelection.SetProvider(&playing)
	m.Run()
}

func (m *metrics) set(a *account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account = a
}

func (m *metrics) note(name, what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account.add(name, "metrics", what)
}

func (m *metrics) NewLeaderMetric() upstream.LeaderMetric { return m }
func (m *metrics) On(name string)                         { m.note(name, "on") }
func (m *metrics) Off(name string)                        { m.note(name, "off") }
func (m *metrics) SlowpathExercised(name string)          { m.note(name, "slow path") }

// pipeListener is a listener without a network, whose connections live in virtual
// time.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "api", Net: "pipe"} }
