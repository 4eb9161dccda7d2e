package dialer

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// unhurried keeps client-go from sleeping inside of a call. A refusal with a
// Retry-After header makes it wait that long and try again, up to ten times
// (rest.Request.MaxRetries), while a lease runs out. So the wish moves from the
// header into the body, as an API server's own Status would have it, and the
// caller decides.
type unhurried struct{ base http.RoundTripper }

// maxSaid bounds what is kept of what a refusal says in words.
const maxSaid = 2 << 10

// RoundTrip implements http.RoundTripper.
func (u *unhurried) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := u.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	after, ok := retryAfter(response)
	if !ok {
		return response, nil
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxSaid)) // what there is
	_ = response.Body.Close()
	body, err := json.Marshal(refusal(response.StatusCode, said, after))
	if err != nil {
		return nil, err
	}
	response.Header.Del("Retry-After")
	response.Header.Set("Content-Type", "application/json")
	response.Header.Del("Content-Encoding")
	response.ContentLength = int64(len(body))
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// WrappedRoundTripper gives way to what it wraps.
func (u *unhurried) WrappedRoundTripper() http.RoundTripper { return u.base }

// CloseIdleConnections closes the connections that no request is using.
func (u *unhurried) CloseIdleConnections() { closeIdle(u.base) }

// retryAfter returns the seconds that client-go would wait for: the rule of
// checkWait in k8s.io/client-go/rest.
func retryAfter(response *http.Response) (seconds int32, ok bool) {
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode/100 != 5 {
		return 0, false
	}
	n, err := strconv.ParseInt(response.Header.Get("Retry-After"), 10, 32)
	return int32(n), err == nil
}

// refusal returns the Status of a refusal: the server's own, if it sent one,
// or one of its words, with the wish to wait.
func refusal(code int, said []byte, after int32) *metav1.Status {
	status := &metav1.Status{}
	if json.Unmarshal(said, status) != nil || status.Kind != "Status" {
		status = &metav1.Status{Message: strings.TrimSpace(strings.ToValidUTF8(string(said), ""))}
		if status.Message == "" {
			status.Message = http.StatusText(code)
		}
	}
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	status.Status, status.Code = metav1.StatusFailure, int32(code)
	switch {
	case status.Reason != "":
	case code == http.StatusTooManyRequests:
		status.Reason = metav1.StatusReasonTooManyRequests
	case code == http.StatusServiceUnavailable:
		status.Reason = metav1.StatusReasonServiceUnavailable
	default:
		status.Reason = metav1.StatusReasonInternalError
	}
	if status.Details == nil {
		status.Details = &metav1.StatusDetails{}
	}
	status.Details.RetryAfterSeconds = max(after, 0)
	return status
}
