package dialer

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/flowcontrol"
)

// fate is what becomes of a field that a user has set, in the clone or copy that is made
// of what he has set it in.
type fate struct {
	set    any    // what the user sets it to
	become any    // the value in the copy, see kept and replaced
	why    string // where it is not the user's own
}

type (
	kept     struct{} // the user's own
	replaced struct{} // by what why says, and is tested elsewhere
	anError  struct{} // an error says so
)

// fates has a line for each field. One for all of them is one for Harden and
// HardenTraffic; else each has its own.
type fates map[string][]fate

// of is what both do to a field.
func of(set, become any, why string) []fate { return []fate{{set, become, why}, {set, become, why}} }

// stays is a field that is the user's own with both.
func stays(set any) []fate { return of(set, kept{}, "") }

// bound is a duration that nothing here is as tight as, ample one that nothing is as wide as.
const (
	bound = time.Minute
	ample = time.Hour
)

// settle fills in the fields of a struct one by one, and checks what becomes of each. That
// all fields have a line, and all lines a field, is checked first: a field that a later
// version of Go or of a library adds has none.
func settle[T any](t *testing.T, lines fates, change func(t *testing.T, harden hardenFunc, set func(*T)) (*T, error)) {
	t.Helper()
	fields := fieldsOf(reflect.TypeFor[T]())
	require.ElementsMatch(t, fields, slices.Collect(maps.Keys(lines)), "each field has a line that says what becomes of it")
	for _, name := range fields {
		for n, way := range []string{"lock", "traffic"} {
			line := lines[name][n]
			t.Run(name+"/"+way, func(t *testing.T) {
				value := reflect.ValueOf(line.set)
				got, err := change(t, ways[way], func(s *T) {
					field := reflect.ValueOf(s).Elem().FieldByName(name)
					field.Set(value.Convert(field.Type()))
				})
				if _, is := line.become.(anError); is {
					require.ErrorContains(t, err, name)
					require.NotEmpty(t, line.why)
					return
				}
				require.NoError(t, err)
				field := reflect.ValueOf(got).Elem().FieldByName(name)
				switch become := line.become.(type) {
				case kept:
					same(t, value, field)
				case replaced:
					require.NotEmpty(t, line.why)
				default:
					require.NotEmpty(t, line.why)
					assert.EqualValues(t, become, field.Interface(), line.why)
				}
			})
		}
	}
}

// ways are Harden and HardenTraffic within the bound.
var ways = map[string]hardenFunc{
	"lock":    func(c *rest.Config) (*rest.Config, error) { return Harden(c, Budget{Answer: bound}) },
	"traffic": func(c *rest.Config) (*rest.Config, error) { return HardenTraffic(c, bound) },
}

func same(t *testing.T, want, got reflect.Value) {
	t.Helper()
	if got.Kind() == reflect.Interface {
		got = got.Elem()
	}
	if want.Kind() == reflect.Func {
		require.Equal(t, reflect.Func, got.Kind())
		assert.Equal(t, want.Pointer(), got.Pointer())
		return
	}
	assert.EqualValues(t, want.Interface(), got.Interface())
}

// fieldsOf returns the names of the exported fields of a struct, those of structs that are
// embedded in it in place of them.
func fieldsOf(of reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(of) {
		if field.IsExported() && !field.Anonymous {
			names = append(names, field.Name)
		}
	}
	return names
}

func someProxy(*http.Request) (*url.URL, error)                                { return nil, nil }
func someDial(context.Context, string, string) (net.Conn, error)               { return nil, errBroken }
func someOldDial(string, string) (net.Conn, error)                             { return nil, errBroken }
func someUpgrade(string, *tls.Conn) http.RoundTripper                          { return nil }
func someWrap(rt http.RoundTripper) http.RoundTripper                          { return rt }
func someCount(string)                                                         {}
func connected(context.Context, *url.URL, *http.Request, *http.Response) error { return nil }
func proxyHeader(context.Context, *url.URL, string) (http.Header, error)       { return nil, nil }

func TestWhatBecomesOfEachFieldOfATransport(t *testing.T) {
	onlyHTTP2 := new(http.Protocols)
	onlyHTTP2.SetHTTP2(true)
	settle(t, fates{
		"Proxy":                  of(someProxy, replaced{}, "by one that asks it, and tells our dials of the way"),
		"OnProxyConnectResponse": stays(connected),
		"DialContext":            of(someDial, replaced{}, "by ours, which dials by it"),
		"Dial":                   of(someOldDial, kept{}, ""),
		"DialTLSContext":         of(someDial, anError{}, "it hides the sockets"),
		"DialTLS":                of(someOldDial, anError{}, "it hides the sockets"),
		"TLSClientConfig":        of(&tls.Config{ServerName: "name"}, replaced{}, "by a clone that negotiates what is spoken"),
		"TLSHandshakeTimeout":    of(ample, bound, "the bound is tighter"),
		"DisableKeepAlives":      stays(true),
		"DisableCompression":     stays(true),
		"MaxIdleConns":           stays(7),
		"MaxIdleConnsPerHost":    stays(7),
		"MaxConnsPerHost":        {{7, anError{}, "it leaves no room for the attempts of a round trip"}, {7, kept{}, ""}},
		"IdleConnTimeout":        stays(ample),
		"ResponseHeaderTimeout":  stays(ample),
		"ExpectContinueTimeout":  stays(ample),
		"TLSNextProto": {
			{map[string]func(string, *tls.Conn) http.RoundTripper{"spoken": someUpgrade}, replaced{}, "HTTP/1.1 is spoken"},
			{map[string]func(string, *tls.Conn) http.RoundTripper{}, kept{}, ""},
		},
		"ProxyConnectHeader":     stays(http.Header{"Name": {"value"}}),
		"GetProxyConnectHeader":  stays(proxyHeader),
		"MaxResponseHeaderBytes": stays(7000),
		"WriteBufferSize":        stays(7000),
		"ReadBufferSize":         stays(7000),
		"ForceAttemptHTTP2":      {{true, false, "HTTP/1.1 is spoken"}, {true, kept{}, ""}},
		"HTTP2": {
			{&http.HTTP2Config{MaxReadFrameSize: 17000}, kept{}, ""},
			{&http.HTTP2Config{MaxReadFrameSize: 17000}, replaced{}, "by one with tighter pings, see the next test"},
		},
		"Protocols": {{onlyHTTP2, replaced{}, "HTTP/1.1 is spoken"}, {onlyHTTP2, kept{}, ""}},
	}, func(t *testing.T, harden hardenFunc, set func(*http.Transport)) (*http.Transport, error) {
		theirs := new(http.Transport)
		set(theirs)
		hardened, err := harden(&rest.Config{Host: "https://192.0.2.1", Transport: theirs})
		if err != nil {
			return nil, err
		}
		client := clientFor(t, hardened)
		return sockets(client.Transport), nil
	})
	for way, harden := range ways {
		t.Run("a tighter TLSHandshakeTimeout/"+way, func(t *testing.T) {
			hardened, err := harden(&rest.Config{Transport: &http.Transport{TLSHandshakeTimeout: time.Second}})
			require.NoError(t, err)
			assert.Equal(t, time.Second, sockets(hardened.Transport).TLSHandshakeTimeout)
		})
	}
}

// Harden speaks HTTP/1.1: of HTTP/2 only HardenTraffic has settings.
func TestWhatBecomesOfEachFieldOfAnHTTP2Config(t *testing.T) {
	lines := fates{}
	for _, name := range fieldsOf(reflect.TypeFor[http.HTTP2Config]()) {
		switch name {
		case "SendPingTimeout":
			lines[name] = []fate{{ample, kept{}, ""}, {ample, bound / 3, "the bound is tighter"}}
		case "PingTimeout":
			lines[name] = []fate{{ample, kept{}, ""}, {ample, bound / 2, "the bound is tighter"}}
		case "WriteByteTimeout":
			lines[name] = []fate{{ample, kept{}, ""}, {ample, bound, "the bound is tighter"}}
		default:
			lines[name] = stays(someOther(t, reflect.TypeFor[http.HTTP2Config](), name))
		}
	}
	settle(t, lines, func(t *testing.T, harden hardenFunc, set func(*http.HTTP2Config)) (*http.HTTP2Config, error) {
		theirs := &http.Transport{HTTP2: new(http.HTTP2Config), ForceAttemptHTTP2: true}
		set(theirs.HTTP2)
		hardened, err := harden(&rest.Config{Host: "https://192.0.2.1", Transport: theirs})
		if err != nil {
			return nil, err
		}
		return sockets(hardened.Transport).HTTP2, nil
	})
}

// The settings of an http2.Transport of x/net that is set up for a transport are those
// of another one, which is set up for the clone. Its pings are bounded by the clone's HTTP2.
func TestEachFieldOfAnHTTP2TransportIsKept(t *testing.T) {
	for _, name := range fieldsOf(reflect.TypeFor[http2.Transport]()) {
		t.Run(name, func(t *testing.T) {
			theirs := new(http.Transport)
			outside, err := http2.ConfigureTransports(theirs)
			require.NoError(t, err)
			field := reflect.ValueOf(outside).Elem().FieldByName(name)
			if name == "ConnPool" {
				outside.ConnPool = ownPool{}
				_, err := HardenTraffic(&rest.Config{Transport: theirs}, bound)
				require.ErrorContains(t, err, "ConnPool")
				require.ErrorIs(t, err, ErrOpaqueTransport)
				return
			}
			value := reflect.ValueOf(someOther(t, reflect.TypeFor[http2.Transport](), name))
			field.Set(value)
			hardened, err := HardenTraffic(&rest.Config{Transport: theirs}, bound)
			require.NoError(t, err)
			ours := outsideHTTP2(sockets(hardened.Transport))
			require.True(t, ours.IsValid())
			same(t, value, ours.FieldByName(name))
		})
	}
}

type ownPool struct{}

func (ownPool) GetClientConn(*http.Request, string) (*http2.ClientConn, error) { return nil, errBroken }
func (ownPool) MarkDead(*http2.ClientConn)                                     {}

// someOther returns a value that a field has not without a user.
func someOther(t *testing.T, of reflect.Type, name string) any {
	t.Helper()
	field, _ := of.FieldByName(name)
	value := reflect.New(field.Type).Elem()
	switch {
	case field.Type.Kind() == reflect.Bool:
		value.SetBool(true)
	case value.CanInt():
		value.SetInt(17000)
	case value.CanUint():
		value.SetUint(17000)
	case field.Type == reflect.TypeFor[func(string)]():
		return someCount
	case field.Type == reflect.TypeFor[*tls.Config]():
		return &tls.Config{ServerName: "name"}
	case field.Type.Kind() == reflect.Func:
		return reflect.MakeFunc(field.Type, nil).Interface()
	default:
		require.Failf(t, "a field of a new type", "%s is a %s", name, field.Type)
	}
	return value.Interface()
}

func TestWhatBecomesOfEachFieldOfAConfig(t *testing.T) {
	limiter := flowcontrol.NewFakeAlwaysRateLimiter()
	settle(t, fates{
		"Host":                      stays("https://192.0.2.1:6443"),
		"APIPath":                   stays("/apis"),
		"AcceptContentTypes":        stays("application/json"),
		"ContentType":               stays("application/json"),
		"GroupVersion":              stays(&schema.GroupVersion{Group: "some", Version: "v1"}),
		"NegotiatedSerializer":      stays(scheme.Codecs.WithoutConversion()),
		"Username":                  stays("someone"),
		"Password":                  stays("word"),
		"BearerToken":               stays("token"),
		"BearerTokenFile":           stays("/some/token"),
		"Impersonate":               stays(rest.ImpersonationConfig{UserName: "someone", UID: "1", Groups: []string{"some"}, Extra: map[string][]string{"a": {"b"}}}),
		"AuthProvider":              stays(&clientcmdapi.AuthProviderConfig{Name: "some"}),
		"AuthConfigPersister":       stays(persister{}),
		"ExecProvider":              stays(&clientcmdapi.ExecConfig{Command: "some"}),
		"Insecure":                  stays(true),
		"ServerName":                stays("name"),
		"CertFile":                  stays("/some/cert"),
		"KeyFile":                   stays("/some/key"),
		"CAFile":                    stays("/some/ca"),
		"CertData":                  stays([]byte("cert")),
		"KeyData":                   stays([]byte("key")),
		"CAData":                    stays([]byte("ca")),
		"NextProtos":                {{[]string{"h2"}, []string{"http/1.1"}, "HTTP/1.1 is spoken"}, {[]string{"h2"}, kept{}, ""}},
		"UserAgent":                 stays("some"),
		"DisableCompression":        stays(true),
		"Transport":                 of(&http.Transport{}, replaced{}, "by a clone, see the tests above"),
		"WrapTransport":             of(someWrap, replaced{}, "by a wrapper that calls it"),
		"QPS":                       {{float32(7), float32(-1), "a lock waits for no other traffic"}, {float32(7), kept{}, ""}},
		"Burst":                     {{7, 0, "a lock waits for no other traffic"}, {7, kept{}, ""}},
		"RateLimiter":               {{limiter, nil, "a lock waits for no other traffic"}, {limiter, kept{}, ""}},
		"WarningHandler":            stays(rest.NoWarnings{}),
		"WarningHandlerWithContext": stays(rest.NoWarnings{}),
		"Timeout":                   {{ample, time.Duration(0), "the bounds are kept by the Transport; one that is tighter is the next test's"}, {ample, kept{}, ""}},
		"Dial":                      of(someDial, replaced{}, "by ours, which dials by it"),
		"Proxy":                     of(someProxy, replaced{}, "by one that asks it, and tells our dials of the way"),
	}, func(t *testing.T, harden hardenFunc, set func(*rest.Config)) (*rest.Config, error) {
		theirs := new(rest.Config)
		set(theirs)
		return harden(theirs)
	})
}

type persister struct{}

func (persister) Persist(map[string]string) error { return nil }

// What a user has registered for HTTP itself is not passed over.
func TestARoundTripperRegisteredForHTTPIsRefused(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for way, harden := range ways {
			t.Run(scheme+"/"+way, func(t *testing.T) {
				theirs := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
				theirs.RegisterProtocol(scheme, roundTripFunc(nil))
				_, err := harden(&rest.Config{Transport: theirs})
				require.ErrorIs(t, err, ErrOpaqueTransport)
				require.ErrorContains(t, err, "dialer.roundTripFunc registered for "+scheme)
			})
		}
	}
}
