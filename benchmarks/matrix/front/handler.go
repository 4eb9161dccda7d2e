package front

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// ServeHTTP implements http.Handler: it passes one request on.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, known := f.userOf(r)
	if !known {
		refuse(w, http.StatusUnauthorized)
		return
	}
	pass := func(w http.ResponseWriter, r *http.Request) { f.ask(w, r, user) }
	if t, over := f.nowUntil(); t.Answer != nil {
		t.Answer(w, r, pass, over)
		return
	}
	pass(w, r)
}

// ask has the API server answer.
func (f *Front) ask(w http.ResponseWriter, r *http.Request, user string) {
	client := clientOf(r)
	if trap := f.take(client, AtRequest); trap != nil {
		trap.Do()
	}
	answer, err := f.options.Upstream.RoundTrip(f.outward(r, user))
	if err != nil {
		refuse(w, http.StatusBadGateway)
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
