package cost

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
)

func TestACrowdIsStartedAsItsContendersAre(t *testing.T) {
	o := contender.Options{Peer: "client-go", Identity: "contender", Namespace: "cost", Lease: "rest-1", Kubeconfig: "some/file"}
	plain, plainArgs, plainEnv, err := contender.Command(o)
	require.NoError(t, err)
	path, args, env, err := (&crowd{Size: 7, First: 3, Shared: true}).command(o)
	require.NoError(t, err)
	assert.Equal(t, plain, path)
	assert.Equal(t, plainArgs, args)
	require.Len(t, env, len(plainEnv)+1, "the peer's environment and the crowd's")
	assert.Equal(t, marker+`={"size":7,"shared":true,"first":3}`, env[len(env)-1])
}

func TestEachContenderHasATransportOfItsOwnAndItsRequestsAreCounted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "{}") }))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	counts := [2]count{}
	var below [2]http.RoundTripper
	for i := range counts {
		client, err := rest.HTTPClientFor(counts[i].own(config))
		require.NoError(t, err)
		defer client.CloseIdleConnections()
		for range i + 1 {
			answer, err := client.Get(server.URL)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, answer.Body)
			require.NoError(t, answer.Body.Close())
		}
		wrapper, ok := client.Transport.(utilnet.RoundTripperWrapper)
		require.True(t, ok)
		below[i] = wrapper.WrappedRoundTripper()
	}
	assert.NotSame(t, below[0], below[1], "client-go keeps one transport for equal configurations")
	assert.Equal(t, uint64(1), counts[0].sent.Load())
	assert.Equal(t, uint64(2), counts[1].answered.Load())
	assert.Nil(t, config.Dial, "the caller's config is left alone")

	server.Close()
	client, err := rest.HTTPClientFor(counts[0].own(config))
	require.NoError(t, err)
	_, err = client.Get(server.URL)
	require.Error(t, err)
	assert.Equal(t, uint64(2), counts[0].sent.Load(), "a request without an answer was sent")
	assert.Equal(t, uint64(1), counts[0].answered.Load())
}

func TestReadingsAreReadLineByLine(t *testing.T) {
	w := &readings{to: make(chan Reading, 1), bad: make(chan error, 1)}
	line, err := json.Marshal(Reading{Leading: 3, Network: Network{Opened: 4}})
	require.NoError(t, err)
	for _, b := range append(bytes.Clone(line), '\n') {
		_, err := w.Write([]byte{b})
		require.NoError(t, err)
	}
	assert.Equal(t, Reading{Leading: 3, Network: Network{Opened: 4}}, <-w.to)
	_, err = w.Write([]byte("panic: no\n"))
	require.NoError(t, err)
	assert.ErrorContains(t, <-w.bad, `"panic: no"`)
}

func TestACrowdSaysWhyAContenderCouldNotGoOn(t *testing.T) {
	c := &crowd{Size: 1, options: contender.Options{Peer: "client-go", Identity: "contender", Namespace: "cost", Lease: "x"}}
	asked := make(chan os.Signal, 1)
	out := make(lines, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.run(ctx, &rest.Config{Host: "http://127.0.0.1:1"}, asked, out) }()
	first := <-out
	assert.Zero(t, first.Contenders, "the first reading is of an empty crowd")
	assert.Positive(t, first.Heap)
	said := ""
	for range 10000 { // until the elector has refused its durations, which are zero
		asked <- readSignal
		if said = (<-out).Broken; said != "" {
			break
		}
	}
	assert.Contains(t, said, "contender-0: ")
	cancel()
	assert.NoError(t, <-done)
}

// lines takes what a crowd writes, a reading at a time.
type lines chan Reading

func (l lines) Write(p []byte) (int, error) {
	var r Reading
	if err := json.Unmarshal(p, &r); err != nil {
		return 0, err
	}
	l <- r
	return len(p), nil
}

func TestThisProcessCanBeMeasured(t *testing.T) {
	var plain, collected Reading
	require.NoError(t, measureSelf(&plain, false))
	assert.Positive(t, plain.CPU)
	assert.Positive(t, plain.Resident)
	assert.Zero(t, plain.Heap, "nobody asked")
	require.NoError(t, measureSelf(&collected, true))
	assert.Positive(t, collected.Heap)
	assert.Positive(t, collected.Stacks)
}
