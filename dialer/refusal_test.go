package dialer

import (
	"bytes"
	"compress/gzip"
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
)

func TestAnotherServerIsAskedWhenOneRefuses(t *testing.T) {
	for _, status := range []int{429, 502, 503, 504} {
		synctest.Test(t, func(t *testing.T) {
			base := newScript(answer(status, "not here"), answer(200, "there"))
			response, err := send(base, newRequest(t.Context(), "PUT", "the lease"))
			require.NoError(t, err)
			assert.Equal(t, "there", bodyOf(t, response))
			assert.Equal(t, []time.Duration{0, 0}, base.at, "at once")
			assert.Equal(t, []string{"the lease", "the lease"}, base.bodies)
			assert.EqualValues(t, 1, base.idle.Load(), "on a new connection")
		})
	}
}

func TestWhereAllRefuseTheRefusalIsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(429, "1"), answer(429, "2"), answer(503, "3"))
		response, err := send(base, newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, 503, response.StatusCode)
		assert.Equal(t, "3", bodyOf(t, response))
		assert.EqualValues(t, 3, base.sent.Load(), "no fourth")
	})
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(429, "busy"), silent)
		start := time.Now()
		response, err := send(base, newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, "busy", bodyOf(t, response), "a refusal is better than nothing")
		assert.Equal(t, time.Second, time.Since(start), "within the bound")
	})
}

func TestOtherAnswersAreTheLastWord(t *testing.T) {
	for _, status := range []int{200, 401, 403, 404, 409, 500} {
		synctest.Test(t, func(t *testing.T) {
			base := newScript(answer(status, "so it is"))
			response, err := send(base, newRequest(t.Context(), "GET", ""))
			require.NoError(t, err)
			assert.Equal(t, status, response.StatusCode)
			assert.EqualValues(t, 1, base.sent.Load())
		})
	}
}

func TestServersThatAreAllBusyAreSoonLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(429, "busy"))
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: 100 * ms}}
		const requests = 1000
		for range requests {
			response, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			require.NoError(t, err)
			bodyOf(t, response)
		}
		added := float64(base.sent.Load()-requests) / requests
		t.Logf("figure: servers that refuse everything get %.1f %% more requests", 100*added)
		assert.LessOrEqual(t, added, 0.12, "a tenth, and a full bucket to begin with")
		assert.Positive(t, added)
	})
}

func TestARequestThatMayNotBeRepeatedIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(503, "no"))
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second}, Hedgeable: func(*http.Request) bool { return false }}
		response, err := rt.RoundTrip(newRequest(t.Context(), "POST", "once"))
		require.NoError(t, err)
		assert.Equal(t, "no", bodyOf(t, response))
		assert.EqualValues(t, 1, base.sent.Load())
	})
}

// client-go would sleep for the seconds that the server asks for, up to ten
// times, inside of the call.
func TestAServerThatAsksToWaitDoesNotHoldUpTheCall(t *testing.T) {
	for name, body := range map[string]string{
		"its words":    "Too many requests, please try again later.",
		"its own kind": `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Too many requests, please try again later.","reason":"TooManyRequests","code":429}`,
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server, _ := newServer(t, false, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("Retry-After", "3600")
				if strings.HasPrefix(body, "{") {
					w.Header().Set("Content-Type", "application/json")
				}
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = w.Write([]byte(body))
			})
			hardened, err := Harden(newConfig(server), Budget{Answer: 10 * time.Second})
			require.NoError(t, err)
			client, err := coordinationv1.NewForConfigAndClient(hardened, clientFor(t, hardened))
			require.NoError(t, err)
			_, err = client.Leases("ns").Get(context.Background(), "it", metav1.GetOptions{})
			assert.True(t, apierrors.IsTooManyRequests(err), "%v", err)
			assert.ErrorContains(t, err, "please try again later")
			seconds, asked := apierrors.SuggestsClientDelay(err)
			assert.True(t, asked)
			assert.Equal(t, 3600, seconds, "the caller is told")
			assert.EqualValues(t, 3, requests.Load(), "and two other connections were tried")
		})
	}
}

// A Status keeps its reason and its message in whatever language it is written
// and however long it is; and whatever number the server asks to wait for.
func TestAStatusThatAsksToWaitKeepsItsReasonAndMessage(t *testing.T) {
	long := strings.Repeat("a long story, ", 400)
	var known []string
	for _, spoken := range languages {
		known = append(known, spoken.media)
	}
	for _, info := range scheme.Codecs.SupportedMediaTypes() {
		assert.Contains(t, known, info.MediaType, "a client of client-go may ask for it")
	}
	for _, spoken := range languages {
		for asked, want := range map[string]int{"7": 7, "4294967296": math.MaxInt32, "-1": 0, "+3": 3} {
			t.Run(spoken.media+", Retry-After "+asked, func(t *testing.T) {
				var requests atomic.Int32
				server, _ := newServer(t, false, func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					w.Header().Set("Content-Type", spoken.media)
					w.Header().Set("Retry-After", asked)
					w.WriteHeader(http.StatusInternalServerError)
					_ = spoken.Encode(&metav1.Status{
						Status: metav1.StatusFailure, Code: 500, Reason: metav1.StatusReasonServerTimeout, Message: long,
						Details: &metav1.StatusDetails{Name: "it", Kind: "leases", Causes: []metav1.StatusCause{{Message: "the cause"}}},
					}, w)
				})
				hardened, err := Harden(newConfig(server), Budget{Answer: 10 * time.Second, Hedge: -1})
				require.NoError(t, err)
				client, err := rest.RESTClientForConfigAndClient(speaking(hardened, spoken), clientFor(t, hardened))
				require.NoError(t, err)
				start := time.Now()
				err = client.Get().AbsPath("/it").Do(context.Background()).Error()
				assert.True(t, apierrors.IsServerTimeout(err), "%v", err)
				assert.ErrorContains(t, err, long)
				var status apierrors.APIStatus
				require.ErrorAs(t, err, &status)
				require.NotNil(t, status.Status().Details)
				assert.Equal(t, "leases", status.Status().Details.Kind)
				assert.EqualValues(t, want, status.Status().Details.RetryAfterSeconds)
				assert.EqualValues(t, 1, requests.Load(), "client-go neither sleeps nor asks again")
				assert.Less(t, time.Since(start), 5*time.Second)
			})
		}
	}
}

// speaking returns a config of a client that reads one language besides JSON.
func speaking(hardened *rest.Config, spoken language) *rest.Config {
	config := rest.CopyConfig(hardened)
	config.GroupVersion = &schema.GroupVersion{Version: "v1"}
	config.ContentType = spoken.media
	config.NegotiatedSerializer = negotiator{[]runtime.SerializerInfo{
		{MediaType: plain.media, EncodesAsText: true, Serializer: plain},
		{MediaType: spoken.media, Serializer: spoken},
	}}
	return config
}

type negotiator struct{ known []runtime.SerializerInfo }

func (n negotiator) SupportedMediaTypes() []runtime.SerializerInfo { return n.known }

func (n negotiator) EncoderForVersion(e runtime.Encoder, _ runtime.GroupVersioner) runtime.Encoder {
	return e
}

func (n negotiator) DecoderToVersion(d runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder {
	return d
}

// Words in a code that only the caller can read are his to read: nothing of them is
// changed, and the wish to wait is still told, in a form that client-go does not obey.
func TestAnEncodedRefusalIsLeftAsItIs(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	require.NoError(t, plain.Encode(&metav1.Status{Status: metav1.StatusFailure, Code: 503, Message: "the words"}, zip))
	require.NoError(t, zip.Close())
	var requests atomic.Int32
	server, _ := newServer(t, false, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Retry-After", "40")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(packed.Bytes())
	})
	config := newConfig(server)
	config.DisableCompression = true
	hardened, err := Harden(config, Budget{Answer: 10 * time.Second, Hedge: -1})
	require.NoError(t, err)
	request := newRequestTo(t, http.MethodGet, server.URL)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := clientFor(t, hardened).Do(request)
	require.NoError(t, err)
	assert.Equal(t, "gzip", response.Header.Get("Content-Encoding"))
	assert.Equal(t, packed.String(), bodyOf(t, response))
	when, err := http.ParseTime(response.Header.Get("Retry-After"))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(40*time.Second), when, 20*time.Second)
	assert.EqualValues(t, 1, requests.Load())
}

func TestWordsThatAskToWaitReachTheCaller(t *testing.T) {
	for name, c := range map[string]struct{ contentType, body, want string }{
		"text":                {"text/plain", "come back later\n", "come back later"},
		"HTML":                {"text/html; charset=utf-8", "<p>later</p>", "<p>later</p>"},
		"JSON, not a Status":  {"application/json", `{"kind":"Later"}`, `{"kind":"Later"}`},
		"JSON that is broken": {"application/json", `{"kind":"Status"`, `{"kind":"Status"`},
		"no text":             {"application/octet-stream", "\x00\x01\x02", "Service Unavailable"},
		"no type":             {"", "later", "later"},
		"no body":             {"text/plain", "", "Service Unavailable"},
		"no text at the end":  {"text/plain", strings.Repeat("ö", maxSaid), strings.Repeat("ö", maxSaid/2)},
	} {
		t.Run(name, func(t *testing.T) {
			response := &http.Response{StatusCode: 503, Header: http.Header{"Content-Type": {c.contentType}}}
			_, status := refusal(response, []byte(c.body), 5)
			assert.Equal(t, c.want, status.Message)
			assert.Equal(t, metav1.StatusReasonServiceUnavailable, status.Reason)
			assert.EqualValues(t, 503, status.Code)
			assert.EqualValues(t, 5, status.Details.RetryAfterSeconds)
		})
	}
}

// A balancer draws a server for each connection. The connection that has refused is
// not used for the next attempt, though it is idle by then.
func TestEveryAttemptAfterARefusalHasAConnectionOfItsOwn(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr]++
		n := len(connections)
		mu.Unlock()
		if n < 3 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	for range 50 {
		mu.Lock()
		clear(connections)
		mu.Unlock()
		rt := &Transport{Budget: Budget{Answer: 5 * time.Minute, Hedge: time.Minute}}
		response, err := (&http.Client{Transport: rt}).Get(server.URL)
		require.NoError(t, err)
		bodyOf(t, response)
		require.Equal(t, http.StatusOK, response.StatusCode, "the third connection leads to another server")
		rt.CloseIdleConnections()
	}
}
