package dialer

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/features"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"
)

// certFiles follows a client certificate in files, in place of a client-go that
// would go on doing so when the client is gone (before v0.36): five goroutines and
// 22 KiB for every client that ever was. What is looked at when, and that a new
// certificate closes the connections made with the old one, is as in client-go.
// Nothing runs while there is no connection.
type certFiles struct {
	cert, key string // paths

	mu      sync.Mutex
	content [2][]byte
	pair    *tls.Certificate
	err     error // of the last look
	looked  time.Time
	age     int // how often the certificate has changed
	conns   map[*certConn]int
	timer   *time.Timer
}

// lookAgain is how soon the files are read again for another handshake.
const lookAgain = time.Second

// lettingGo reports whether this client-go stops following the files of a client
// that is gone.
func lettingGo() (lets bool) {
	defer func() { lets = recover() == nil && lets }() // a feature that it does not know
	return features.FeatureGates().Enabled("ClientsAllowTLSCacheGC")
}

// followFiles makes config one whose certificate files are followed here, and nil
// where client-go is to do it. What it cannot read it leaves to client-go's errors.
func followFiles(config *rest.Config) *certFiles {
	have := &config.TLSClientConfig
	if have.CertFile == "" || have.KeyFile == "" || len(have.CertData) > 0 || len(have.KeyData) > 0 || lettingGo() {
		return nil
	}
	f := &certFiles{cert: have.CertFile, key: have.KeyFile, conns: map[*certConn]int{}}
	if f.look(time.Now()); f.err != nil {
		return nil
	}
	have.CertData, have.KeyData = bytes.Clone(f.content[0]), bytes.Clone(f.content[1])
	dial := config.Dial
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		age := f.current()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return f.track(conn, age), nil
	}
	return f
}

// follow makes a transport offer the certificate that the files have.
func (f *certFiles) follow(t *http.Transport) {
	if f != nil && t.TLSClientConfig != nil {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			f.current()
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.pair, f.err
		}
	}
}

// current looks at the files unless it has lately, closes what was made with a
// certificate that they no longer have, and returns the age of the one they have.
func (f *certFiles) current() int {
	f.mu.Lock()
	now := time.Now()
	if now.Sub(f.looked) >= lookAgain {
		f.look(now)
	}
	age, old := f.age, []*certConn(nil)
	for conn, of := range f.conns {
		if of < age {
			old = append(old, conn)
		}
	}
	f.mu.Unlock()
	if len(old) > 0 {
		klog.Background().V(1).Info("Client certificate has changed, closing the connections made with the old one", "file", f.cert, "connections", len(old))
	}
	for _, conn := range old { // nobody waits for that: below may be a tunnel of the user's
		go quietly(context.Background(), func() { _ = conn.Close() })
	}
	return age
}

// look reads the files. The caller holds the lock, or is alone.
func (f *certFiles) look(now time.Time) {
	f.looked = now
	var content [2][]byte
	for n, path := range []string{f.cert, f.key} {
		if content[n], f.err = os.ReadFile(path); f.err != nil {
			return
		}
	}
	if bytes.Equal(content[0], f.content[0]) && bytes.Equal(content[1], f.content[1]) {
		return
	}
	pair, err := tls.X509KeyPair(content[0], content[1])
	if f.err = err; err == nil {
		f.content, f.pair = content, &pair
		f.age++
	}
}

// track remembers a connection until it is closed.
func (f *certFiles) track(conn net.Conn, age int) net.Conn {
	c := &certConn{Conn: conn, files: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[c] = age
	if f.timer == nil {
		f.timer = time.AfterFunc(transport.CertCallbackRefreshDuration, f.again)
	}
	return c
}

// again looks at the files at client-go's pace for as long as there is a connection.
func (f *certFiles) again() {
	f.current()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Reset(transport.CertCallbackRefreshDuration)
	}
}

func (f *certFiles) forget(c *certConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	if len(f.conns) == 0 && f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
}

// certConn is a connection that was made with a certificate from files.
type certConn struct {
	net.Conn
	files *certFiles
}

// NetConn returns the connection within.
func (c *certConn) NetConn() net.Conn { return c.Conn }

// Close closes the connection within.
func (c *certConn) Close() error {
	c.files.forget(c)
	return c.Conn.Close()
}
