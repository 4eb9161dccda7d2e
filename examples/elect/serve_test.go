package main

import (
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatIsServed(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-identity=carts-0_a_b"}, script(`trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done`))...)
	e.says("^ready$")
	standby := s.elect("-identity=carts-1_c_d") // without a command: the form of the old sidecar
	standby.says("Leader seen")

	l := e.leader()
	assert.Equal(t, leader{Lease: "shop/carts", Holder: "carts-0_a_b", Self: "carts-0_a_b", Leading: true, Term: l.Term, FencingToken: l.FencingToken}, l)
	assert.NotNil(t, l.Term)
	assert.NotEmpty(t, l.FencingToken)
	assert.Equal(t, leader{Lease: "shop/carts", Holder: "carts-0_a_b", Self: "carts-1_c_d"}, standby.leader())
	for _, of := range []*elect{e, standby} {
		status, body := of.get("/")
		assert.Equal(t, http.StatusOK, status)
		assert.JSONEq(t, `{"name":"carts-0"}`, body)
		for _, path := range []string{"/healthz", "/readyz"} {
			status, body = of.get(path)
			assert.Equal(t, http.StatusOK, status, body)
		}
		status, _ = of.get("/other")
		assert.Equal(t, http.StatusNotFound, status)
	}
	_, metrics := e.get("/metrics")
	for _, line := range []string{
		"elect_program_running 1", "elect_program_starts_total 1", `elect_program_ends_total{by="itself"} 0`, `holdfast_leading{name="carts"} 1`,
		`holdfast_connections_open{client="lock"}`,
	} {
		assert.Contains(t, metrics, line)
	}

	e.signal(syscall.SIGTERM)
	assert.Zero(t, e.exits())
	standby.says(`"Leading"`)
	require.Eventually(t, func() bool { return standby.leader().Leading }, soon, often)
	_, body := standby.get("/")
	assert.JSONEq(t, `{"name":"carts-1"}`, body)
	standby.signal(syscall.SIGTERM)
	assert.Zero(t, standby.exits())
	assert.Empty(t, *s.lease().Spec.HolderIdentity)
}

func TestATakenAddressIsAnErrorAtTheStart(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	s := newStage(t)
	e := s.elect("-address="+taken.Listener.Addr().String(), "--", "true")
	assert.Equal(t, 1, e.exits())
	e.says("-address=")
	assert.Zero(t, s.lastRenewal())
}
