package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// The addresses of a sidecar on its host: both on loopback, so that several hosts have
// the same.
const (
	sidecarListen  = "127.0.0.1:6443"
	sidecarAddress = "127.0.0.1:8081"
)

const (
	sidecarBound = 10 * time.Second // to start listening
	sidecarOften = 10 * time.Millisecond
)

// retransmission is the least time after which Linux sends again what was not
// acknowledged. Two of them may pass before it counts the user timeout.
const retransmission = 200 * time.Millisecond

// RelaySilence is the -silence of examples/relay for an election: half of the time that
// a request of client-go's elector has, which is half of the renew deadline, less what
// the kernel adds, and at most the relay's own default. A renewal on a dead connection
// then fails while the elector still waits for it, and is made anew at once. One that the
// elector had given up would be followed by a read that fails, after which client-go
// pauses for a second.
func RelaySilence(t Timing) time.Duration {
	return min((t.RenewDeadline/2-2*retransmission)/2, time.Second)
}

// relayHedge is the -hedge: the relay's own default with Long, and in proportion.
func relayHedge(t Timing) time.Duration { return t.RenewDeadline / 40 }

// sidecar is the program examples/relay, built once for a stage.
type sidecar struct {
	once sync.Once
	path string
	err  error
}

// program returns the path of the program, in dir. It is built where the working
// directory is in this module, from what the module cache holds: there is no network in
// the laboratory.
func (s *sidecar) program(dir string) (string, error) {
	s.once.Do(func() {
		s.path = filepath.Join(dir, "relay")
		command := exec.Command("go", "build", "-o", s.path, "github.com/holdfast-go/holdfast/examples/relay")
		command.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false")
		if output, err := command.CombinedOutput(); err != nil {
			s.err = fmt.Errorf("build examples/relay: %w\n%s", err, output)
		}
	})
	return s.path, s.err
}

// relayed puts examples/relay beside a contender, as a sidecar is in its Pod: in the
// same network, before the contender starts, with a name from the API servers'
// certificates leading to it. It returns the contender's kubeconfig, which differs from
// the one given in its server alone. The relay ends with its host.
func (r *run) relayed(ctx context.Context, host *lab.Host, kubeconfig string, stderr io.Writer) (string, error) {
	dir := r.stage.lab.Dir()
	path, err := r.stage.sidecar.program(dir)
	if err != nil {
		return "", err
	}
	listen := netip.MustParseAddrPort(sidecarListen)
	if err := host.SetAliases(listen.Addr(), contender.RelayName); err != nil {
		return "", err
	}
	process, err := host.Start(lab.Command{Path: path, Stdout: stderr, Stderr: stderr, Args: []string{
		"-listen=" + sidecarListen, "-to=" + lab.VirtualIP.String(), "-address=" + sidecarAddress,
		"-silence=" + RelaySilence(r.timing).String(), "-hedge=" + relayHedge(r.timing).String(),
	}})
	if err != nil {
		return "", err
	}
	if err := listening(ctx, host, process); err != nil {
		return "", err
	}
	return reroute(dir, kubeconfig, contender.RelayServer, "")
}

// listening returns when the startup probe of a sidecar has succeeded.
func listening(ctx context.Context, host *lab.Host, process *lab.Process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, sidecarBound, fmt.Errorf("%v are over", sidecarBound))
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DialContext: host.Dial, DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+sidecarAddress+"/healthz", nil)
		if err != nil {
			return err
		}
		if answer, err := client.Do(request); err == nil {
			if err := answer.Body.Close(); err == nil && answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(sidecarOften):
		case <-process.Done():
			return errors.New("the relay has exited: its log says why")
		case <-ctx.Done():
			return fmt.Errorf("await that the relay listens: %w", context.Cause(ctx))
		}
	}
}
