package dialer_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
	"k8s.io/client-go/rest"
)

// A client of net/http whose connections die in time.
func ExampleDialer_DialContext() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	d := &dialer.Dialer{Connect: 2 * time.Second, Hedge: 200 * time.Millisecond, Silence: 5 * time.Second}
	transport := &http.Transport{DialContext: d.DialContext}
	defer transport.CloseIdleConnections()

	response, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 200 OK
}

// A client of net/http whose requests are answered, or fail, within two seconds.
func ExampleTransport() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	transport := &dialer.Transport{
		Budget:    dialer.Budget{Answer: 2 * time.Second},
		Hedgeable: func(r *http.Request) bool { return r.Method == http.MethodGet },
	}
	defer transport.CloseIdleConnections()

	response, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 200 OK
}

// By default a creation is sent once, for another attempt might create twice. A
// client whose every write the server refuses the second time may allow more.
func ExampleWithHedgeable() {
	var creations atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if creations.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	budget := dialer.Budget{Answer: 20 * time.Second}
	for _, options := range [][]dialer.Option{nil, {dialer.WithHedgeable(func(*http.Request) bool { return true })}} {
		creations.Store(0)
		hardened, err := dialer.Harden(&rest.Config{Host: server.URL}, budget, options...)
		if err != nil {
			fmt.Println(err)
			return
		}
		client, err := rest.HTTPClientFor(hardened)
		if err != nil {
			fmt.Println(err)
			return
		}
		response, err := client.Post(server.URL, "application/json", strings.NewReader("{}"))
		if err != nil {
			fmt.Println(err)
			return
		}
		response.Body.Close()
		client.CloseIdleConnections()
		fmt.Println(response.Status, "after", creations.Load())
	}
	// Output:
	// 503 Service Unavailable after 1
	// 200 OK after 2
}

// Answers are taken in whole within the bound. What a caller reads as it comes is
// a stream: by default a watch, a log that is followed and an upgraded connection.
func ExampleWithStreams() {
	feeds := func(request *http.Request) bool {
		return dialer.IsStream(request) || request.URL.Path == "/feed"
	}
	hardened, err := dialer.Harden(&rest.Config{Host: "https://192.0.2.1"}, dialer.Budget{Answer: 5 * time.Second}, dialer.WithStreams(feeds))
	fmt.Println(hardened.Host, err)
	// Output: https://192.0.2.1 <nil>
}

func ExampleIsStream() {
	for _, target := range []string{"/api/v1/pods?watch=true", "/api/v1/pods?watch=false", "/api/v1/namespaces/ns/pods/it/log?follow=true"} {
		fmt.Println(dialer.IsStream(httptest.NewRequest(http.MethodGet, target, nil)))
	}
	// Output:
	// true
	// false
	// true
}

// A Meter says what became of connections and requests.
func ExampleMeter() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	meter := dialer.Meter{Trace: dialer.Trace{
		Closed: func(reason dialer.CloseReason, _ time.Duration, _ net.Addr, _ error) { fmt.Println("closed:", reason) },
	}}
	transport := &dialer.Transport{Budget: dialer.Budget{Answer: 20 * time.Second}, Meter: &meter}
	client := &http.Client{Transport: transport}
	for range 3 {
		response, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		response.Body.Close()
	}
	transport.CloseIdleConnections()

	stats := meter.Stats()
	fmt.Println("requests:", stats.Requests, "on a kept connection:", stats.ServedReused)
	fmt.Println("connections:", stats.Opened, "open:", stats.Open, "closed:", stats.Closed)
	// Output:
	// closed: by-us
	// requests: 3 on a kept connection: 2
	// connections: 1 open: 0 closed: map[by-us:1]
}

// The client of a lock: every request ends within five seconds.
func ExampleHarden() {
	config := &rest.Config{Host: "https://192.0.2.1"} // as rest.InClusterConfig returns it
	hardened, err := dialer.Harden(config, dialer.Budget{Answer: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := rest.HTTPClientFor(hardened)
	if err != nil {
		fmt.Println(err)
		return
	}
	budget, ok := dialer.Hardened(client.Transport)
	fmt.Println(ok, "hedges after", budget.Hedge)
	// Output: true hedges after 250ms
}

// A controller's informers and clients: HTTP/2 stays, and a dead connection is
// noticed within about ten seconds.
func ExampleHardenTraffic() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	config := &rest.Config{Host: server.URL} // as rest.InClusterConfig returns it
	hardened, err := dialer.HardenTraffic(config, 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := rest.HTTPClientFor(hardened) // or kubernetes.NewForConfig(hardened)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 200 OK
}

// One Meter for several clients.
func ExampleWithMeter() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	var meter dialer.Meter
	for range 2 {
		hardened, err := dialer.Harden(&rest.Config{Host: server.URL}, dialer.Budget{Answer: 20 * time.Second}, dialer.WithMeter(&meter))
		if err != nil {
			fmt.Println(err)
			return
		}
		client, err := rest.HTTPClientFor(hardened)
		if err != nil {
			fmt.Println(err)
			return
		}
		response, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		response.Body.Close()
		client.CloseIdleConnections()
	}
	stats := meter.Stats()
	fmt.Println("requests:", stats.Requests, "answered:", stats.Answered, "connections:", stats.Opened)
	// Output: requests: 2 answered: 2 connections: 2
}

// What became of a client's connections, without a Meter of one's own.
func ExampleStatsOf() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	hardened, err := dialer.Harden(&rest.Config{Host: server.URL}, dialer.Budget{Answer: 20 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := rest.HTTPClientFor(hardened)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	response.Body.Close()
	stats, hardenedClient := dialer.StatsOf(client.Transport)
	fmt.Println("hardened:", hardenedClient, "answered:", stats.Answered)
	_, hardenedClient = dialer.StatsOf(http.DefaultTransport)
	fmt.Println("hardened:", hardenedClient)
	// Output:
	// hardened: true answered: 1
	// hardened: false
}

// A request that must not meet a connection which has died unnoticed.
func ExampleFreshConnection() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	transport := &dialer.Transport{Budget: dialer.Budget{Answer: 5 * time.Minute, Hedge: time.Minute, DialHedge: time.Minute}}
	defer transport.CloseIdleConnections()
	get := func(ctx context.Context) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		response.Body.Close()
	}
	get(context.Background())
	get(context.Background())
	fmt.Println("connections:", transport.Stats().Opened)
	get(dialer.FreshConnection(context.Background()))
	fmt.Println("connections:", transport.Stats().Opened)
	// Output:
	// connections: 1
	// connections: 2
}

// Sockets that dial from an address of the caller's and carry an option of his.
func ExampleWithControl() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		host, _, _ := net.SplitHostPort(request.RemoteAddr)
		fmt.Fprint(w, "hello ", host)
	}))
	defer server.Close()

	mark := func(_ context.Context, network, _ string, c syscall.RawConn) error {
		fmt.Println("a socket of", network)
		return c.Control(func(fd uintptr) { /* setsockopt */ })
	}
	hardened, err := dialer.Harden(&rest.Config{Host: server.URL}, dialer.Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1},
		dialer.WithLocalAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}), dialer.WithControl(mark))
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := rest.HTTPClientFor(hardened)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Println(string(body), err)
	// Output:
	// a socket of tcp4
	// hello 127.0.0.1 <nil>
}
