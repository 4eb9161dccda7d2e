//go:build !linux

package leaderelection

import "time"

// systemSinceBoot is zero where no clock is read that counts suspension: there
// the wall clock alone tells that a machine has slept.
func systemSinceBoot() time.Duration { return 0 }
