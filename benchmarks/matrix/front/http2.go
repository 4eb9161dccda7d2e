//lint:file-ignore SA1019 a connection with a window of its own is served by itself, which net/http does not offer

package front

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/net/http2"
)

// speakHTTP2 serves HTTP/2, with the window that the fault at the time of the
// connection leaves to requests.
func (f *Front) speakHTTP2() error {
	if err := http2.ConfigureServer(f.server, nil); err != nil {
		return fmt.Errorf("front: serve HTTP/2: %w", err)
	}
	serve := f.server.TLSNextProto[http2.NextProtoTLS]
	f.server.TLSNextProto[http2.NextProtoTLS] = func(server *http.Server, c *tls.Conn, h http.Handler) {
		if !f.now().NoWindow {
			serve(server, c, h)
			return
		}
		ctx := context.Background()
		if based, ok := h.(interface{ BaseContext() context.Context }); ok {
			ctx = based.BaseContext()
		}
		new(http2.Server).ServeConn(&shut{Conn: c}, &http2.ServeConnOpts{Context: ctx, Handler: h, BaseConfig: server})
	}
	return nil
}

// GoAway answers an HTTP/2 request, after a while, with GOAWAY, which says that no
// request of the connection was executed, and ends the connection. HTTP/1.1 has
// only the wish to close it after the answer.
func GoAway(after time.Duration) Answer {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc, over <-chan struct{}) {
		s, ok := socketOf(r.Context())
		if r.ProtoMajor < 2 || !ok {
			w.Header().Set("Connection", "close")
			pass(w, r)
			return
		}
		wait(r, after, over)
		// Errors say that the client has gone.
		_ = http2.NewFramer(s.Conn, nil).WriteGoAway(0, http2.ErrCodeNo, nil)
		_ = s.Close()
	}
}

// Reset resets what carries the request: its stream over HTTP/2, its connection
// over HTTP/1.1.
func Reset(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc, _ <-chan struct{}) {
	if s, ok := socketOf(r.Context()); ok && r.ProtoMajor < 2 {
		_ = s.tcp.SetLinger(0) // fails only on a connection that has ended
	}
	panic(http.ErrAbortHandler)
}

// Unread leaves requests that have a body unread and unanswered until the fault
// is over, and then ends their connections. With NoWindow the bodies cannot even
// be sent.
func Unread(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc, over <-chan struct{}) {
	if r.ContentLength == 0 {
		pass(w, r)
		return
	}
	outlast(r, over)
	if s, ok := socketOf(r.Context()); ok {
		_ = s.Close() // fails only on a connection that has ended
	}
}

// shut is a server's connection on which streams have no flow-control window: the
// server's first frame, its SETTINGS, has an INITIAL_WINDOW_SIZE of zero (RFC
// 9113, section 6.5.2).
type shut struct {
	*tls.Conn
	settings []byte // as far as they were written
	sent     bool
}

const frameHeader, setting = 9, 6 // bytes

// Write implements net.Conn.
func (s *shut) Write(b []byte) (int, error) {
	if s.sent {
		return s.Conn.Write(b)
	}
	s.settings = append(s.settings, b...)
	if len(s.settings) < frameHeader {
		return len(b), nil
	}
	length := int(s.settings[0])<<16 | int(s.settings[1])<<8 | int(s.settings[2])
	if len(s.settings) < frameHeader+length {
		return len(b), nil
	}
	for at := frameHeader; at+setting <= frameHeader+length; at += setting {
		if http2.SettingID(binary.BigEndian.Uint16(s.settings[at:])) == http2.SettingInitialWindowSize {
			clear(s.settings[at+2 : at+setting])
		}
	}
	s.sent = true
	_, err := s.Conn.Write(s.settings)
	return len(b), err
}
