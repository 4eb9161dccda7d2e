//go:build !linux

package socket

import "syscall"

// Unacked is not known here.
func Unacked(syscall.RawConn) (bytes int, known bool, err error) { return 0, false, nil }
