package dialer

import (
	"bytes"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

// retryAfterInBody makes one call of client-go one call of ours: it keeps client-go
// from sleeping inside of it and from making it again.
//
// A refusal with a Retry-After header makes client-go wait that long and try
// again, up to ten times (rest.Request.MaxRetries), while a lease runs out. So
// the wish moves from the header into the Status that is the answer's body, where
// an API server may put it as well, and the caller decides. In the header it becomes
// a date, which client-go does not act upon. See final for errors.
type retryAfterInBody struct{ base http.RoundTripper }

// maxSaid bounds what is kept of what a refusal says in words, as client-go does.
const maxSaid = 2 << 10

// RoundTrip implements http.RoundTripper.
func (r *retryAfterInBody) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.base.RoundTrip(request)
	if err != nil {
		return nil, settled(err, request)
	}
	after, ok := retryAfter(response)
	if !ok {
		return response, nil
	}
	// client-go obeys a number of seconds, and no date.
	response.Header.Set("Retry-After", time.Now().Add(time.Duration(after)*time.Second).UTC().Format(http.TimeFormat))
	if code := response.Header.Get("Content-Encoding"); code != "" && code != "identity" {
		return response, nil // net/http was not to decode it: the caller reads it himself
	}
	if bodiless(request.Method, response.StatusCode) {
		return response, nil
	}
	// The body is no stream, for this is no success: it has been taken in whole.
	said, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, settled(err, request)
	}
	language, status := refusal(response, said, after)
	if status == nil {
		response.Body = io.NopCloser(bytes.NewReader(said))
		return response, nil
	}
	var body bytes.Buffer
	if err := language.Encode(status, &body); err != nil {
		return nil, settled(err, request)
	}
	response.Header.Del("Content-Encoding")
	response.Header.Del("Content-Length")
	response.Header.Set("Content-Type", language.media)
	response.ContentLength = int64(body.Len())
	response.Body = io.NopCloser(&body)
	return response, nil
}

// WrappedRoundTripper gives way to what it wraps.
func (r *retryAfterInBody) WrappedRoundTripper() http.RoundTripper { return r.base }

// CloseIdleConnections closes the connections that no request is using.
func (r *retryAfterInBody) CloseIdleConnections() { closeIdle(r.base) }

// retryAfter returns the seconds that client-go would wait for: the rule of
// checkWait in k8s.io/client-go/rest. A number too large for a Status is the
// largest that it can hold.
func retryAfter(response *http.Response) (seconds int32, ok bool) {
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode < 500 {
		return 0, false
	}
	n, err := strconv.Atoi(response.Header.Get("Retry-After"))
	return int32(min(max(n, 0), math.MaxInt32)), err == nil
}

// language is one in which a Status may be written.
type language struct {
	runtime.Serializer
	media string
}

// plain is JSON, which every client of client-go reads, and languages are the
// other ones that a client may ask for.
var plain, languages = func() (language, []language) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	plain := language{json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{}), runtime.ContentTypeJSON}
	return plain, []language{
		plain,
		{json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true}), runtime.ContentTypeYAML},
		{protobuf.NewSerializer(scheme, scheme), runtime.ContentTypeProtobuf},
		{cbor.NewSerializer(scheme, scheme), runtime.ContentTypeCBOR},
	}
}()

// refusal returns the Status of a refusal, and the language to write it in: the
// server's own, if it sent one, or one of its words, with the wish to wait. It is nil
// where the body is something else, which is the caller's to read.
func refusal(response *http.Response, said []byte, after int32) (language, *metav1.Status) {
	spoken, status := understand(response.Header.Get("Content-Type"), said)
	if status == nil {
		if !ofWords(response.Header.Get("Content-Type"), said) {
			return language{}, nil
		}
		spoken, status = plain, &metav1.Status{Message: words(said)}
	}
	if status.Message == "" {
		status.Message = http.StatusText(response.StatusCode)
	}
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	status.Status, status.Code = metav1.StatusFailure, int32(response.StatusCode)
	switch {
	case status.Reason != "":
	case response.StatusCode == http.StatusTooManyRequests:
		status.Reason = metav1.StatusReasonTooManyRequests
	case response.StatusCode == http.StatusServiceUnavailable:
		status.Reason = metav1.StatusReasonServiceUnavailable
	case response.StatusCode == http.StatusGatewayTimeout:
		status.Reason = metav1.StatusReasonTimeout
	default:
		status.Reason = metav1.StatusReasonInternalError
	}
	if status.Details == nil {
		status.Details = &metav1.StatusDetails{}
	}
	status.Details.RetryAfterSeconds = after
	return spoken, status
}

// understand returns the Status that a body holds, nil if it holds none, and its
// language. A body whose type is not given may be JSON.
func understand(contentType string, said []byte) (language, *metav1.Status) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = runtime.ContentTypeJSON
	}
	for _, l := range languages {
		if l.media != media {
			continue
		}
		object, _, err := l.Decode(said, &schema.GroupVersionKind{Version: "v1", Kind: "Status"}, nil)
		if status, is := object.(*metav1.Status); err == nil && is {
			return l, status
		}
	}
	return language{}, nil
}

// ofWords reports whether a Status can keep what a body says: text, or what is no longer
// than what a Status keeps, of a type that API servers speak.
func ofWords(contentType string, said []byte) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || len(said) == 0 || strings.HasPrefix(media, "text/") {
		return true
	}
	spoken := media == "application/octet-stream" || slices.ContainsFunc(languages, func(l language) bool { return l.media == media })
	return spoken && len(said) <= maxSaid
}

// words returns what a body says to a reader: nothing, if it is no text.
func words(said []byte) string {
	said = said[:min(len(said), maxSaid)]
	if bytes.ContainsFunc(said, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		return ""
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(said), ""))
}
