# `make test` runs everything: the checks of the code, the fast tests under the
# race detector, and the laboratory with real kube-apiservers. It needs Go, a C
# compiler for the race detector, and either root or unprivileged user
# namespaces; what is missing is said, nothing is skipped.

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: test check fast simulation lab long

test: check fast simulation lab

# check: formatting, vet and staticcheck of every module.
check:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	cd benchmarks && go vet ./... && $(STATICCHECK) ./...

# fast: the tests that need no privileges, with the race detector.
fast:
	go test -race ./...

# simulation: a hundred thousand elections in virtual time.
simulation:
	go test ./leaderelection -run 'TestSimulation$$' -v -timeout 20m -args -sim.elections=100000

# lab: the laboratory's own tests and the end-to-end tests with the short lease.
# Its binaries are built first, since go test would not show the progress.
lab:
	cd benchmarks && go run ./lab/prepare
	cd benchmarks && go test ./event ./contender ./cmd/... ./lab
	cd benchmarks && go test -v -timeout 15m ./scenario

# long: the end-to-end tests with the lease of core components too, 15 s. It
# takes some six minutes more.
long:
	cd benchmarks && go run ./lab/prepare
	cd benchmarks && go test -v -timeout 30m ./scenario -args -long
