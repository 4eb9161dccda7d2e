package holdfastctrl_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	holdfastctrl "github.com/holdfast-go/holdfast/leaderelection/controllerruntime"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// nowhere is an API that nothing in these tests asks.
var nowhere = &rest.Config{Host: "https://127.0.0.1:1"}

func options() manager.Options {
	return manager.Options{
		LeaderElection: true, LeaderElectionID: "work", LeaderElectionNamespace: "default",
		Metrics: metricsserver.Options{BindAddress: "0"},
	}
}

func TestWithoutLeaderElectionItIsControllerRuntimesManager(t *testing.T) {
	o := options()
	o.LeaderElection = false
	m, err := holdfastctrl.NewManager(nowhere, o)
	require.NoError(t, err)
	assert.NotNil(t, m)
	_, ours := m.(*holdfastctrl.Manager)
	assert.False(t, ours)
}

func TestOptionsThatCannotWorkAreNamed(t *testing.T) {
	for says, change := range map[string]func(*manager.Options){
		"LeaderElectionID":        func(o *manager.Options) { o.LeaderElectionID = "" },
		"LeaderElectionNamespace": func(o *manager.Options) { o.LeaderElectionNamespace = "" },
		`"configmaps"`:            func(o *manager.Options) { o.LeaderElectionResourceLock = "configmaps" },
		"LeaseDuration = 1s":      func(o *manager.Options) { o.LeaseDuration = ptr.To(time.Second) },
	} {
		o := options()
		change(&o)
		_, err := holdfastctrl.NewManager(nowhere, o)
		assert.ErrorContains(t, err, says)
	}
}

func TestOutsideAClusterTheNamespaceIsAskedFor(t *testing.T) {
	o := options()
	o.LeaderElectionNamespace = ""
	_, err := holdfastctrl.NewManager(nowhere, o)
	assert.EqualError(t, err, "holdfastctrl: not running in a cluster: set LeaderElectionNamespace, the namespace of the Lease")
}

func TestAConfigurationThatIsHardenedAlreadyIsAnError(t *testing.T) {
	lock, err := dialer.Harden(nowhere, dialer.Budget{Answer: 10 * time.Second})
	require.NoError(t, err)
	traffic, err := dialer.HardenTraffic(nowhere, 10*time.Second)
	require.NoError(t, err)
	for _, config := range []*rest.Config{lock, traffic} {
		_, err = holdfastctrl.NewManager(config, options())
		assert.ErrorContains(t, err, "config has been hardened already")
		o := options()
		o.LeaderElectionConfig = config
		_, err = holdfastctrl.NewManager(nowhere, o)
		assert.ErrorContains(t, err, "LeaderElectionConfig has been hardened already")
	}
	wrapped := rest.CopyConfig(nowhere)
	wrapped.WrapTransport = func(rt http.RoundTripper) http.RoundTripper { return rt }
	_, err = holdfastctrl.NewManager(wrapped, options())
	assert.NoError(t, err, "a wrapper of the user's own is none of ours")
	_, err = holdfastctrl.NewManager(nil, options())
	assert.ErrorContains(t, err, "config is nil")
}

func TestTheManagersTrafficIsHardenedUnlessToldOtherwise(t *testing.T) {
	for _, c := range []struct {
		options []holdfastctrl.Option
		want    bool
	}{{nil, true}, {[]holdfastctrl.Option{holdfastctrl.Without(holdfastctrl.FeatureTraffic)}, false}} {
		m, err := holdfastctrl.NewManager(nowhere, options(), c.options...)
		require.NoError(t, err)
		_, hardened := dialer.StatsOf(m.GetHTTPClient().Transport)
		assert.Equal(t, c.want, hardened)
	}
	assert.Nil(t, nowhere.WrapTransport, "the caller's configuration is not changed")
}

func TestAFeatureThatThereIsNotIsNamed(t *testing.T) {
	_, err := holdfastctrl.NewManager(nowhere, options(), holdfastctrl.Without("metric"))
	assert.ErrorContains(t, err, `no feature "metric"`)
	assert.ErrorContains(t, err, "master status")
}

func TestAnElectionThatCannotWorkIsNamed(t *testing.T) {
	o := options()
	o.LeaderElection = false
	inner, err := holdfastctrl.NewManager(nowhere, o)
	require.NoError(t, err)
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "work",
		resourcelock.ResourceLockConfig{Identity: "a"}, nowhere, 2*time.Second)
	require.NoError(t, err)
	good := leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 500 * time.Millisecond,
		WatchDog: leaderelection.NewLeaderHealthzAdaptor(0), Readiness: leaderelection.NewLeaderReadyzAdaptor(),
	}
	_, err = holdfastctrl.New(inner, good)
	require.NoError(t, err)
	_, err = holdfastctrl.New(nil, good)
	assert.ErrorContains(t, err, "inner is nil")
	for says, change := range map[string]func(*leaderelection.LeaderElectionConfig){
		"OnStartedLeading is set": func(c *leaderelection.LeaderElectionConfig) {
			c.Callbacks.OnStartedLeading = func(context.Context) {}
		},
		"ContendAgain": func(c *leaderelection.LeaderElectionConfig) { c.ContendAgain = true },
		"Lock":         func(c *leaderelection.LeaderElectionConfig) { c.Lock = nil },
	} {
		bad := good
		change(&bad)
		_, err := holdfastctrl.New(inner, bad)
		assert.ErrorContains(t, err, says)
	}
}

func TestWhatOptionsCannotSayIsChangedLast(t *testing.T) {
	var told string
	_, err := holdfastctrl.NewManager(nowhere, options(), holdfastctrl.WithElection(func(c *leaderelection.LeaderElectionConfig) {
		told = c.Name + " on " + c.Lock.Describe()
		c.LeaseDuration = time.Second
	}))
	assert.Equal(t, "work on default/work", told, "the election is complete")
	assert.ErrorContains(t, err, "LeaseDuration = 1s", "and what is changed counts")
}

func TestALockOfTheUsersOwnIsTakenAsItIs(t *testing.T) {
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "elsewhere", "other",
		resourcelock.ResourceLockConfig{Identity: "me"}, nowhere, 10*time.Second)
	require.NoError(t, err)
	o := options()
	o.LeaderElectionID, o.LeaderElectionNamespace, o.LeaderElectionResourceLockInterface = "", "", lock
	_, err = holdfastctrl.NewManager(nowhere, o)
	assert.NoError(t, err, "neither name nor namespace is needed then")
}

// refusing is an API server that refuses changes of ConfigMaps by a fence for a
// while, since it has not heard of the takeover yet.
type refusing struct {
	next  http.RoundTripper
	tries *atomic.Int64
	times int64
}

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPut || !strings.Contains(req.URL.Path, "configmaps") {
		return r.next.RoundTrip(req)
	}
	if r.tries.Add(1) > r.times {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
	}
	policy := fence.Policy(types.NamespacedName{Namespace: "default", Name: "work"})
	status := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "it",
		errors.New("ValidatingAdmissionPolicy '"+policy+"' with binding '"+policy+"' denied request")).ErrStatus
	status.Kind, status.APIVersion = "Status", "v1"
	text, err := json.Marshal(status)
	return &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(bytes.NewReader(text)), Request: req}, err
}

func TestTheManagersClientListensToTheFence(t *testing.T) {
	s := newStage(t)
	host, err := s.relay.Host("a")
	require.NoError(t, err)
	t.Cleanup(host.Close)
	config := rest.CopyConfig(host.Config())
	tries := new(atomic.Int64)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return refusing{next, tries, 3} })
	o := options()
	o.LeaseDuration, o.RenewDeadline, o.RetryPeriod = &lasting.lease, &lasting.deadline, &lasting.retry
	m, err := holdfastctrl.NewManager(config, o, holdfastctrl.Without(holdfastctrl.FeatureTraffic))
	require.NoError(t, err)
	a := &replica{Manager: m.(*holdfastctrl.Manager), host: host, ended: make(chan error, 1)}
	a.start(t)
	within(t, a.Elected(), "Elected")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, config.Host+"/api/v1/namespaces/default/configmaps/it", strings.NewReader("{}"))
	require.NoError(t, err)
	response, err := m.GetHTTPClient().Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.EqualValues(t, 4, tries.Load(), "three refusals, and it is let through")
	assert.True(t, a.Elector().IsLeader())
}

// A fence compares the holder with the Pod whose token the work's writes bear.
func TestTheIdentityIsThatOfThePodWhichWrites(t *testing.T) {
	of := func(pod string) *rest.Config {
		config := rest.CopyConfig(nowhere)
		config.BearerToken = "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"kubernetes.io":{"pod":{"name":"`+pod+`","uid":"u-1"}}}`)) + ".c2ln"
		return config
	}
	host, err := os.Hostname()
	require.NoError(t, err)
	for _, c := range []struct {
		work, lock *rest.Config
		begins     string
	}{
		{of("work"), nil, "work_u-1_"},
		{of("work"), of("lock"), "work_u-1_"},
		{of("work"), nowhere, "work_u-1_"},
		{nowhere, of("lock"), "lock_u-1_"},
		{nowhere, nil, host + "_"},
	} {
		o := options()
		o.LeaderElectionConfig = c.lock
		identity := ""
		_, err := holdfastctrl.NewManager(c.work, o, holdfastctrl.WithElection(func(e *leaderelection.LeaderElectionConfig) { identity = e.Lock.Identity() }))
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(identity, c.begins), "%q must begin with %q", identity, c.begins)
	}
}
