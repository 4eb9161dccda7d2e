package resourcelock

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
)

// droppedClients is how many clients, locks and watches come and go in the test of
// that. `make leaks` makes ten thousand.
var droppedClients = flag.Int("leaks", 200, "how many clients are made, used, broken and dropped")

// What is made, used, broken and dropped leaves neither a socket nor a goroutine,
// and no memory that grows with their number: a process that makes a lock a minute
// for a year ends with what it had at noon of the first day.
func TestDroppedClientsLeaveNothingBehind(t *testing.T) {
	const workers = 8
	config := api(t)
	directory := t.TempDir()
	config.CAFile, config.CertFile, config.KeyFile = filepath.Join(directory, "ca"), filepath.Join(directory, "cert"), filepath.Join(directory, "key")
	require.NoError(t, os.WriteFile(config.CAFile, config.CAData, 0o600))
	config.CAData = nil
	selfSigned(t, config.CertFile, config.KeyFile)

	url := config.Host + "/apis/coordination.k8s.io/v1/namespaces/default/leases/it"
	// Nobody is there: a Lease API that was, on a port of its own.
	gone := rest.CopyConfig(config)
	gone.Host = "https://127.0.0.1:1"

	lock := func(config *rest.Config) *LeaseLock {
		l, err := NewFromKubeconfig(LeasesResourceLock, "default", "it", ResourceLockConfig{Identity: "me"}, config, 20*time.Second)
		require.NoError(t, err)
		return l.(*LeaseLock)
	}
	answered := func(err error) {
		if err != nil && !apierrors.IsNotFound(err) {
			assert.NoError(t, err)
		}
	}
	use := func(client *http.Client, url string) {
		response, err := client.Get(url)
		if assert.NoError(t, err) {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	}
	kinds := []struct {
		name string
		use  func(config *rest.Config)
	}{
		{"lock", func(config *rest.Config) {
			_, _, err := lock(config).Get(t.Context())
			answered(err)
		}},
		{"lock of a factory", func(config *rest.Config) {
			f, err := NewFactory(config, Options{RenewDeadline: 20 * time.Second})
			require.NoError(t, err)
			l, err := f.Lock(LeasesResourceLock, "default", "it", ResourceLockConfig{Identity: "me"})
			require.NoError(t, err)
			_, _, err = l.Get(t.Context())
			answered(err)
		}},
		{"watch", func(config *rest.Config) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l := lock(config)
			time.AfterFunc(20*time.Millisecond, cancel)
			_ = l.Watch(ctx, Snapshot{}, func(Snapshot) { cancel() })
		}},
		{"lock whose API is gone", func(*rest.Config) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			other := rest.CopyConfig(gone)
			other.UserAgent = fmt.Sprint(time.Now().UnixNano())
			_, _, err := lock(other).Get(ctx)
			assert.Error(t, err)
		}},
		{"hardened client", func(config *rest.Config) {
			hardened, err := dialer.Harden(config, dialer.Budget{Answer: 20 * time.Second})
			require.NoError(t, err)
			client, err := rest.HTTPClientFor(hardened)
			require.NoError(t, err)
			use(client, url)
		}},
		{"hardened traffic", func(config *rest.Config) {
			hardened, err := dialer.HardenTraffic(config, 20*time.Second)
			require.NoError(t, err)
			client, err := rest.HTTPClientFor(hardened)
			require.NoError(t, err)
			use(client, url)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/it")+"?watch=true", nil)
			require.NoError(t, err)
			response, err := client.Do(request) // and dropped with its watch open
			if assert.NoError(t, err) {
				_ = response.Body.Close()
			}
		}},
		{"transport of the user's", func(config *rest.Config) {
			tlsConfig, err := rest.TLSConfigFor(config)
			require.NoError(t, err)
			theirs := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: tlsConfig.RootCAs, MinVersion: tls.VersionTLS12}}
			_, _, err = lock(&rest.Config{Host: config.Host, Transport: theirs}).Get(t.Context())
			answered(err)
		}},
		{"cancelled", func(config *rest.Config) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			_, _, _ = lock(config).Get(ctx)
		}},
	}

	var count atomic.Int64
	run := func(n int) {
		var wg sync.WaitGroup
		var next atomic.Int64
		for range workers {
			wg.Go(func() {
				for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
					other := rest.CopyConfig(config)
					other.UserAgent = fmt.Sprint("client ", count.Add(1)) // none shares with another
					kinds[i%len(kinds)].use(other)
				}
			})
		}
		wg.Wait()
	}
	run(8 * len(kinds)) // what is made once is made now
	before := settled(t, held{})
	start := time.Now()
	run(*droppedClients)
	elapsed := time.Since(start)
	after := settled(t, before)
	t.Logf("figure: %d clients made, used and dropped in %v: before %+v, after %+v", *droppedClients, elapsed.Round(time.Millisecond), before, after)
	assert.LessOrEqual(t, after.sockets, before.sockets, "sockets")
	assert.LessOrEqual(t, after.descriptors, before.descriptors, "file descriptors")
	assert.LessOrEqual(t, after.goroutines, before.goroutines, "goroutines")
	assert.LessOrEqual(t, after.objects-before.objects, int64(most), "heap objects: every client leaves some")
	assert.Less(t, after.bytes-before.bytes, int64(4<<20), "heap")
}

// held is what a process holds.
type held struct {
	sockets, descriptors, goroutines int
	objects, bytes                   int64
}

func holds(t *testing.T) (h held) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	h.objects, h.bytes, h.goroutines = int64(memory.HeapObjects), int64(memory.HeapAlloc), runtime.NumGoroutine()
	const folder = "/proc/self/fd"
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	h.descriptors = len(entries)
	for _, entry := range entries {
		if to, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			h.sockets++
		}
	}
	return h
}

// most is how many objects more than before may be left however many clients there
// were: pools and caches of the libraries below.
const most = 5000

// settled collects what nobody holds: at first until nothing changes, then until
// there is as little as before, or for a minute. What a cleanup lets go of is only
// found by the next round, and timers of net/http and its HTTP/2 hold a connection
// that is closed for some seconds more.
func settled(t *testing.T, before held) (h held) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for still := 0; still < 20 && time.Now().Before(deadline); {
		last := h
		h = holds(t)
		switch {
		case before != held{}:
			if h.sockets <= before.sockets && h.goroutines <= before.goroutines && h.descriptors <= before.descriptors && h.objects <= before.objects+most {
				return h
			}
		case h.sockets == last.sockets && h.goroutines == last.goroutines:
			still++
		default:
			still = 0
		}
		time.Sleep(20 * time.Millisecond) // until the collector has run again
	}
	return h
}

// selfSigned writes a certificate and its key.
func selfSigned(t *testing.T, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}
