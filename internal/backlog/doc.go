// Package backlog makes hosts for tests that are not there: addresses of loopback at
// which no SYN is answered.
package backlog
