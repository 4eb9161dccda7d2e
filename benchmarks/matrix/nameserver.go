package matrix

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// serverName is the API servers' name in DNS; it stands in their certificates.
const serverName = "kubernetes.default.svc"

// nameserverVariable is the environment variable that names the nameserver of a
// probe or contender.
const nameserverVariable = "HOLDFAST_MATRIX_NAMESERVER"

// useNameserver makes the process resolve names at the nameserver of its
// environment, if that names one. It asks by TCP.
func useNameserver() {
	at := os.Getenv(nameserverVariable)
	if at == "" {
		return
	}
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", at)
		},
	}
}

// nameserver answers questions for the address of serverName, by TCP. It knows
// no other name and no caching.
type nameserver struct {
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	addrs []netip.Addr
	conns map[net.Conn]bool // nil once closed
}

func newNameserver(l net.Listener) *nameserver {
	n := &nameserver{listener: l, conns: map[net.Conn]bool{}}
	n.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			n.running.Go(func() { n.serve(c) })
		}
	})
	return n
}

// set says which addresses the name has from now on.
func (n *nameserver) set(addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs = addrs
}

func (n *nameserver) close() error {
	err := n.listener.Close()
	n.mu.Lock()
	for c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
	n.mu.Unlock()
	n.running.Wait()
	return err
}

// askerBound is how long a connection may be idle.
const askerBound = 10 * time.Second

func (n *nameserver) serve(c net.Conn) {
	defer c.Close()
	n.mu.Lock()
	if n.conns == nil {
		n.mu.Unlock()
		return
	}
	n.conns[c] = true
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.conns, c)
	}()
	for {
		if c.SetDeadline(time.Now().Add(askerBound)) != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		n.mu.Lock()
		addrs := n.addrs
		n.mu.Unlock()
		answer, err := answerName(question, addrs)
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// The numbers of RFC 1035 that are needed here.
const (
	dnsHeader       = 12
	dnsTypeA        = 1
	dnsClassIN      = 1
	dnsResponse     = 0x8400 // an answer, and authoritative
	dnsNoSuchName   = 3
	dnsNameAbove    = 0xc00c // the name of the question
	dnsOneQuestion  = 1
	dnsLongestLabel = 63
)

// answerName answers one question (RFC 1035, section 4) for the address of
// serverName: any other name does not exist, and it has only IPv4 addresses.
func answerName(question []byte, addrs []netip.Addr) ([]byte, error) {
	if len(question) < dnsHeader || binary.BigEndian.Uint16(question[4:]) != dnsOneQuestion {
		return nil, errors.New("a message without exactly one question")
	}
	name, end, err := nameAt(question, dnsHeader)
	if err != nil {
		return nil, err
	}
	if len(question) < end+4 {
		return nil, errors.New("a question that ends before its type")
	}
	code := 0
	switch {
	case !strings.EqualFold(name, serverName):
		code, addrs = dnsNoSuchName, nil
	case binary.BigEndian.Uint16(question[end:]) != dnsTypeA:
		addrs = nil
	}
	answer := append([]byte(nil), question[:2]...) // the number of the message
	answer = binary.BigEndian.AppendUint16(answer, uint16(dnsResponse|code))
	for _, count := range []int{dnsOneQuestion, len(addrs), 0, 0} {
		answer = binary.BigEndian.AppendUint16(answer, uint16(count))
	}
	answer = append(answer, question[dnsHeader:end+4]...)
	for _, addr := range addrs {
		for _, n := range []uint16{dnsNameAbove, dnsTypeA, dnsClassIN, 0, 0, 4} { // a lifetime of 0 s, 4 bytes
			answer = binary.BigEndian.AppendUint16(answer, n)
		}
		answer = append(answer, addr.AsSlice()...)
	}
	return answer, nil
}

// nameAt reads the uncompressed name at an offset, and returns where it ends.
func nameAt(message []byte, at int) (name string, end int, err error) {
	var labels []string
	for at < len(message) {
		length := int(message[at])
		at++
		if length == 0 {
			return strings.Join(labels, "."), at, nil
		}
		if length > dnsLongestLabel || at+length > len(message) {
			return "", 0, fmt.Errorf("a name with a label of %d bytes at byte %d", length, at-1)
		}
		labels = append(labels, string(message[at:at+length]))
		at += length
	}
	return "", 0, errors.New("a name that does not end")
}
