package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// files are the page: HTML, style and script, without anything from elsewhere.
//
//go:embed page
var files embed.FS

// pageTiming is what the page's contenders are configured with by default: the
// shortest that keeps the usual proportions with a margin, since somebody waits.
var pageTiming = timing{lease: 3 * time.Second, renew: 2 * time.Second, retry: 500 * time.Millisecond}

// Bounds of the page's server.
const (
	headerWithin = 5 * time.Second
	writeWithin  = 5 * time.Second
	// Two states go out no closer than pace, and one at least every heartbeat.
	pace      = 100 * time.Millisecond
	heartbeat = time.Second
)

// forPage checks and completes what the command line says about the page.
func (o *options) forPage(flags *flag.FlagSet) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if given["scenario"] {
		return fmt.Errorf("-scenario and -page %s: on the page you cause the faults, there are no scenarios", o.page)
	}
	for name, d := range map[string]struct{ to, from *time.Duration }{
		"lease": {&o.lease, &pageTiming.lease}, "renew": {&o.renew, &pageTiming.renew}, "retry": {&o.retry, &pageTiming.retry},
	} {
		if !given[name] {
			*d.to = *d.from
		}
	}
	address, err := loopback(o.page)
	o.page = address
	return err
}

// loopback checks that an address to listen on is one of this machine alone. No
// host means 127.0.0.1.
func loopback(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("-page %q: must be host:port, such as 127.0.0.1:8080: %w", address, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if !local(host) {
		return "", fmt.Errorf("-page %q: the host must be a loopback address such as 127.0.0.1: whoever reaches the page can cause faults", address)
	}
	return net.JoinHostPort(host, port), nil
}

// local reports whether a host means this machine.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// serve lets the contenders contend and serves the page until ctx is done, which
// is no error. Where it is says the first line on out.
func serve(ctx context.Context, o options, out io.Writer) (err error) {
	listener, err := net.Listen("tcp", o.page)
	if err != nil {
		return fmt.Errorf("-page %s: %w", o.page, err)
	}
	l, err := openLive(o.timing)
	if err != nil {
		_ = listener.Close()
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	fmt.Fprintf(out, "Open http://%s/ and break something. Ctrl-C ends it.\n", listener.Addr())
	fmt.Fprintf(out, "Two contenders of this library and two of client-go: %v.\n", o.timing)

	ctx, cancel := context.WithCancel(ctx)
	server := &http.Server{
		Handler:           l.handler(),
		ReadHeaderTimeout: headerWithin,
		// Streams end with the program.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	served := make(chan error, 1)
	go func() {
		err := server.Serve(listener)
		cancel()
		served <- err
	}()
	err = l.run(ctx)
	cancel()
	_ = server.Close()
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serving the page on %s: %w", listener.Addr(), failed))
	}
	return err
}

// handler serves the page, its states, and its buttons.
func (l *live) handler() http.Handler {
	pages, err := fs.Sub(files, "page")
	if err != nil {
		pages = files // cannot be: the folder is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(pages))
	mux.HandleFunc("GET /states", l.states)
	mux.HandleFunc("POST /endpoints/{name}/{fault}", func(w http.ResponseWriter, r *http.Request) {
		answerStrike(w, l.strikeEndpoint(r.PathValue("name"), r.PathValue("fault")))
	})
	mux.HandleFunc("POST /contenders/{fleet}/{slot}/{fault}", func(w http.ResponseWriter, r *http.Request) {
		answerStrike(w, l.strikeContender(r.PathValue("fleet"), r.PathValue("slot"), r.PathValue("fault")))
	})
	mux.HandleFunc("POST /address/{manner}", func(w http.ResponseWriter, r *http.Request) {
		answerStrike(w, l.setAddress(r.PathValue("manner")))
	})
	mux.HandleFunc("POST /everything/{fault}", func(w http.ResponseWriter, r *http.Request) {
		answerStrike(w, l.strikeEverything(r.PathValue("fault")))
	})
	return guard(mux)
}

// guard keeps other sites out: a page from elsewhere can neither press the
// buttons (http.CrossOriginProtection), nor read the answers (no CORS), nor come
// under a name of its own that it makes resolve to this machine (the Host), nor
// frame the page.
func guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !local(host) {
			http.Error(w, fmt.Sprintf("host %q: this page is for this machine only, ask for 127.0.0.1", r.Host), http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func answerStrike(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errNotAgain):
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		http.Error(w, err.Error(), http.StatusNotFound)
	}
}

// states sends the view whenever it changes, as server-sent events, until the
// client goes or the program ends. Each state is whole: a client that missed
// some has missed nothing.
func (l *live) states(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for {
		v, changed := l.board.view()
		data, err := json.Marshal(v)
		if err != nil {
			return
		}
		// Not every ResponseWriter has deadlines; a test's recorder has none.
		_ = stream.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := fmt.Fprintf(w, "event: state\ndata: %s\n\n", data); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
		if !pause(r.Context(), pace) {
			return
		}
		beat.Reset(heartbeat)
		select {
		case <-changed:
		case <-beat.C:
		case <-r.Context().Done():
			return
		}
	}
}
