# `make test` runs everything: the checks of the code, the fast tests under the
# race detector, and the laboratory with real kube-apiservers. It needs Go, a C
# compiler for the race detector, Chromium for the page of examples/failover, and
# either root or unprivileged user namespaces, and the nodes of `make nodes` need root,
# containerd, runc, nft and network plugins; what is missing is said, and nothing but the
# nodes is left out.

LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run --allow-parallel-runners
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT = go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# The systems whose sockets have options of their own, and every size of an int.
CROSS = linux/amd64 linux/arm64 linux/386 linux/arm darwin/arm64 windows/amd64 \
	freebsd/amd64 netbsd/amd64 openbsd/amd64 dragonfly/amd64

# What has heavy dependencies has a module of its own, benchmarks apart.
MODULES = internal/dropin leaderelection/prometheus leaderelection/prometheus/scrape leaderelection/controllerruntime examples/controller-runtime examples/elect examples/failover/browsertest

# The library, and what is released with it: .golangci.yml has vet and staticcheck
# too. The rest has these two alone.
LINTED = . internal/dropin leaderelection/prometheus leaderelection/controllerruntime

.PHONY: test check cross cross-all fast modules fleet leaks simulation mutants newcomer versions lab nodes matrix long incident bench starved results

test: check fast modules fleet leaks simulation newcomer versions lab nodes matrix

# check: formatting and linters of every module, and the sockets of every operating
# system.
check: cross
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	@set -e; for module in $(LINTED); do \
		echo "check $$module"; (cd $$module && go mod tidy -diff && $(LINT) ./...); \
	done
	@set -e; for module in $(filter-out $(LINTED),benchmarks $(MODULES)); do \
		echo "check $$module"; (cd $$module && go mod tidy -diff && go vet ./... && $(STATICCHECK) ./...); \
	done

# cross: vet of the sockets on every system. Only what is compiled into a program,
# without the tests: with them each system costs a build of net/http and more.
cross:
	@for target in $(CROSS); do \
		export GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0; \
		go vet $$(go list -f '{{range .GoFiles}}{{$$.Dir}}/{{.}} {{end}}' ./dialer/internal/socket) \
			|| { echo "cross: $$target fails"; exit 1; }; \
	done

# cross-all: vet of the whole library on every system. It builds client-go for
# each, which takes minutes the first time.
cross-all:
	@for target in $(CROSS); do \
		echo $$target; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 \
			go vet ./dialer/... ./resourcelock/... ./leaderelection/... || exit 1; \
	done

# fast: the tests that need no privileges, with the race detector.
fast:
	go build -race ./... # before any test, which a build beside it would slow down
	go test -race -timeout 20m ./...

# modules: the same of the modules beside the library. What they hold against
# documents outside of them must not come from the cache.
modules:
	cd internal/dropin && go test -count=1 ./...
	cd leaderelection/prometheus && go test -race ./...
	cd leaderelection/prometheus/scrape && go test -count=1 ./...
	cd leaderelection/controllerruntime && go test -race ./...
	cd examples/controller-runtime && go test . ./ways
	cd examples/elect && go test -race ./...
	cd examples/failover/browsertest && go test -count=1 ./...

# fleet: a thousand leases in one process, over eight connections.
fleet:
	go test ./resourcelock -run TestManyLeases -v -args -fleet 1000

# leaks: ten thousand clients, locks and watches made, used, broken and dropped, and
# as many dials; sockets, goroutines, heap and file descriptors come back. Two thousand
# more with every client-go minor, as `make versions` chooses them.
leaks:
	go test ./dialer -run 'TestDialsLeaveNothingBehind|TestDroppedTransports|TestConnectionThatNever' -v -timeout 5m
	go test ./resourcelock -run TestDroppedClientsLeaveNothingBehind -v -timeout 5m -args -leaks 10000
	RUN=TestDroppedClientsLeaveNothingBehind ARGS='-args -leaks 2000' PACKAGES=./resourcelock .ci/versions

# simulation: elections in virtual time, twenty thousand unless ELECTIONS says how
# many, each world with features of its own (internal/simulation); and a thousand fleets
# in which contenders are preferred more and less.
ELECTIONS = 20000
simulation:
	go test ./leaderelection -run 'TestSimulation$$' -v -timeout 60m -args -sim.elections=$(ELECTIONS)
	go test ./leaderelection -run TestPreferredContenderLeads -v -timeout 20m -args -fleets=1000
	go test ./leaderelection -run TestPreferredContenderIsHandedTheLease -v -timeout 20m -args -fleets=200

# mutants: the rules of the elector broken one at a time, and what the tests make
# of each. It takes hours, and is run by hand; internal/mutants says how to limit it.
mutants:
	go run ./internal/mutants -package leaderelection -known leaderelection/mutants.txt $(MUTANTS)

# newcomer: what the README tells a stranger to do, on a clone of what is
# committed: the demonstration, two imports changed in a fresh module, what the
# documents tell to run, and the manifests on a real API server. The tests, which
# the README has too, are the other targets.
newcomer:
	.ci/newcomer demo adopt documents deploy

# versions: the three newest minors of client-go build and pass the fast tests
# from the same source.
versions:
	.ci/versions

# lab: the laboratory's own tests and the end-to-end tests with the short lease.
# Its binaries, an API server of each minor version, are built first, since go test
# would not show the progress.
lab:
	cd benchmarks && go run ./lab/prepare -all
	cd benchmarks && go test ./event ./program ./stat ./result ./contender ./compare ./cost ./shortest ./starved ./report $$(go list ./cmd/... | grep -v /cmd/lab$$) ./lab
	cd benchmarks && go test -v -timeout 5m ./cmd/lab
	cd benchmarks && go test -v -timeout 15m ./scenario
	cd benchmarks && go test -v -timeout 10m ./versions
	cd benchmarks && go test -v -timeout 10m ./fenced
	cd benchmarks && go test -v -timeout 5m ./podlabel
	cd examples/controller-runtime && go test -v -timeout 5m ./endtoend

# nodes: the ends of leaders in Pods on real nodes, a kubelet, kube-proxy, containerd and
# runc each. The first two are built first, once, which takes minutes. Without root there is no node.
nodes:
	@if [ "$$(id -u)" != 0 ]; then \
		echo "nodes: NOT RUN: control groups and mounts of a node take root"; \
	else set -e; \
		cd benchmarks; go run ./lab/prepare -nodes; go test ./lab/node; go test -v -timeout 15m ./nodes; \
	fi

# matrix: faults in every role and mode, the part that spans them;
# `cd benchmarks && go run ./cmd/matrix` is the whole, and prints the table.
matrix:
	cd benchmarks && go run ./lab/prepare
	cd benchmarks && go test -v -timeout 20m ./matrix/...

# long: a hundred thousand simulated elections, and the end-to-end tests with the
# lease of core components too, 15 s. The latter take some six minutes more.
long:
	$(MAKE) simulation ELECTIONS=100000
	cd benchmarks && go run ./lab/prepare
	cd benchmarks && go test -v -timeout 30m ./scenario -args -long

# incident: the outage that this library exists for, at full length, beside
# client-go without its pings. It takes a quarter of an hour of waiting.
incident:
	cd benchmarks && go run ./lab/prepare
	cd benchmarks && go test -v -timeout 28m ./scenario -run 'TestTheIncident$$' -args -incident

# bench: Go benchmarks of the hot paths, against client-go's where there is a like:
# that of the benchmarks, which is newer than what the library requires.
bench:
	cd benchmarks && go list -m k8s.io/client-go | sed 's/^/# /' > ../gobench.txt
	cd benchmarks && go test $(HOT) -run '^$$' -bench . -benchmem -count 6 >> ../gobench.txt || { cat ../gobench.txt; exit 1; }
	$(BENCHSTAT) -col /impl gobench.txt
HOT = $(addprefix github.com/holdfast-go/holdfast/,dialer resourcelock leaderelection)

# starved: what becomes of leases whose process, standby or API server is short of
# CPU, beside client-go. It needs root and takes an hour.
starved:
	cd benchmarks && go run ./cmd/starved -o ../starved.md

# results: this library and its peers, side by side, and the report of it. It takes
# a night, can be stopped and gone on with; benchmarks/measure says how to limit it.
results:
	benchmarks/measure
