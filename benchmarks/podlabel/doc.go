// Package podlabel holds what is true of leaderelection/podlabel, and of the manifests of
// examples/elect and examples/relay, only on a real API server: that a label can be
// written through the status of a Pod, with these rights and no others, under the
// conditions that the patches make, and that the manifests are accepted.
//
//	cd benchmarks && go test -v ./podlabel
//
// It has tests only. They run in the laboratory.
package podlabel
