// Package deploy holds what is true of the example controller's manifests only
// on a real API server: that it accepts them (server-side dry run), and that the
// rights they grant are the least that the controller needs.
//
//	cd benchmarks && go test -v ./deploy
//
// It has tests only. They run in the laboratory.
package deploy
