package front

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServeHTTP implements http.Handler: it passes one request on.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, known := f.userOf(r)
	if !known {
		f.refuse(w, http.StatusUnauthorized, 0)
		return
	}
	if t := f.now(); t.Status != 0 {
		f.refuse(w, t.Status, t.RetryAfter)
		return
	}
	client := clientOf(r)
	if trap := f.take(client, AtRequest); trap != nil {
		trap.Do()
	}
	answer, err := f.options.Upstream.RoundTrip(f.outward(r, user))
	if err != nil {
		f.refuse(w, http.StatusBadGateway, 0)
		return
	}
	defer answer.Body.Close()
	f.pass(r.Context(), client, w, answer)
}

// userOf returns who asks, by bearer token or else by certificate.
func (f *Front) userOf(r *http.Request) (string, bool) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		user, valid := f.tokens[token]
		return user, valid
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", false
	}
	return r.TLS.PeerCertificates[0].Subject.CommonName, true
}

// hopByHop are the headers that speak of one connection only.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// outward is the request as it goes to the API server.
func (f *Front) outward(r *http.Request, user string) *http.Request {
	out := r.Clone(r.Context())
	out.RequestURI, out.Close = "", false
	out.URL.Scheme, out.URL.Host, out.Host = f.options.URL.Scheme, f.options.URL.Host, ""
	for name := range out.Header {
		if hopByHop[name] || name == "Authorization" || strings.HasPrefix(name, "Impersonate-") {
			delete(out.Header, name)
		}
	}
	out.Header.Set("Impersonate-User", user)
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out
}

// refuse answers in the API server's stead.
func (f *Front) refuse(w http.ResponseWriter, code int, retryAfter time.Duration) {
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Message: fmt.Sprintf("front: %d %s", code, http.StatusText(code)),
	}
	body, err := json.Marshal(status)
	if err != nil { // a struct of strings and numbers always marshals
		body = nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client may have gone
}

// part is what was read of an answer at once, and when it is to be passed on.
type part struct {
	due     time.Time
	content []byte
}

// pass passes an answer on as it arrives, each part late where it is to be.
func (f *Front) pass(ctx context.Context, client netip.Addr, w http.ResponseWriter, answer *http.Response) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	headers := time.Now().Add(f.now().Late)
	parts := make(chan part, 64)
	go f.read(ctx, answer.Body, parts)
	if !sleep(ctx, time.Until(headers)) {
		return
	}
	for name, values := range answer.Header {
		if !hopByHop[name] {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.StatusCode)
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	for p := range parts {
		if !sleep(ctx, time.Until(p.due)) {
			return
		}
		if trap := f.take(client, MidBody); trap != nil {
			half := len(p.content) / 2
			if _, err := w.Write(p.content[:half]); err != nil || flush() != nil {
				return
			}
			delivered(ctx)
			trap.Do()
			p.content = p.content[half:]
		}
		if _, err := w.Write(p.content); err != nil || flush() != nil {
			return
		}
	}
}

// read reads a body into parts until it ends or ctx does.
func (f *Front) read(ctx context.Context, body io.Reader, parts chan<- part) {
	defer close(parts)
	for {
		content := make([]byte, 32<<10)
		n, err := body.Read(content)
		if n > 0 {
			select {
			case parts <- part{time.Now().Add(f.now().Late), content[:n]}:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func clientOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
