package holdfastctrl_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// hooks is a webhook server that says when it would serve.
type hooks struct {
	webhook.Server
	started chan struct{}
}

func (h hooks) Start(ctx context.Context) error {
	close(h.started)
	<-ctx.Done()
	return nil
}

func TestAStandbyServesWebhooksAndProbes(t *testing.T) {
	s := newStage(t)
	h := hooks{Server: webhook.NewServer(webhook.Options{}), started: make(chan struct{})}
	a := s.replica(t, "a", lasting, nil)
	b := s.replica(t, "b", lasting, func(o *manager.Options) { o.WebhookServer = h })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	probes := http.NewServeMux()
	probes.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	require.NoError(t, b.Add(&manager.Server{Name: "probes", Listener: listener, Server: &http.Server{Handler: probes, ReadHeaderTimeout: time.Second}}))
	assert.Equal(t, h, b.GetWebhookServer(), "this adds it to the manager, as builders do")
	workA, workB := newTask(), newTask()
	require.NoError(t, a.Add(workA))
	require.NoError(t, b.Add(workB))

	a.start(t)
	within(t, workA.started, "the work of a")
	b.start(t)
	within(t, h.started, "the webhooks of the standby")
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + listener.Addr().String() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	open(t, workB.started, "b leads")
}
