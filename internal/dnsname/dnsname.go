// Package dnsname is a name server for tests: it knows one name, whose addresses
// change.
package dnsname

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// Name is a host name and what it stands for. It is safe for concurrent use.
type Name struct {
	name string // with its last dot

	mu        sync.Mutex
	addresses []netip.Addr
}

// New returns a name, without its last dot, that exists and has no addresses yet.
func New(name string) *Name { return &Name{name: name + "."} }

// Set says which addresses the name has from now on.
func (n *Name) Set(addresses ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses = addresses
}

// Answer answers a message with one question (RFC 1035, section 4). Any other name
// does not exist. The error says why a message is no question.
func (n *Name) Answer(query []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil {
		return nil, err
	}
	questions, err := parser.AllQuestions()
	if err != nil {
		return nil, err
	}
	if len(questions) != 1 {
		return nil, fmt.Errorf("a message with %d questions, must be one", len(questions))
	}
	question := questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true},
		Questions: questions,
	}
	if !strings.EqualFold(question.Name.String(), n.name) {
		reply.RCode = dnsmessage.RCodeNameError
		return reply.Pack()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.addresses {
		resource := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET}}
		switch {
		case a.Is4() && question.Type == dnsmessage.TypeA:
			resource.Body = &dnsmessage.AResource{A: a.As4()}
		case a.Is6() && question.Type == dnsmessage.TypeAAAA:
			resource.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		default:
			continue
		}
		reply.Answers = append(reply.Answers, resource)
	}
	return reply.Pack()
}

// AnswerNext answers the next question of a connection, as they come over TCP: each
// with its length before it.
func (n *Name) AnswerNext(conn io.ReadWriter) error {
	var length uint16
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return err
	}
	query := make([]byte, length)
	if _, err := io.ReadFull(conn, query); err != nil {
		return err
	}
	answer, err := n.Answer(query)
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}
