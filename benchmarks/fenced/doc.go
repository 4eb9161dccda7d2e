// Package fenced plays the fence of package leaderelection/fence to real API
// servers: that they compile its rules, whom they refuse and what, how long after a
// takeover, and what of that holds while an API server does not hear of the Lease.
//
// The contenders are Pods that no kubelet runs. Their tokens are bound to them as
// those of running Pods are, which is all that the fence goes by.
//
// The tests need what package lab needs. The flag -handovers says how often the
// lease changes hands, and -minor of which minor version the API servers are:
//
//	go test ./fenced -v -args -handovers 200
//	go test ./fenced -v -args -minor 1.36
package fenced
