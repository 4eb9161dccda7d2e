package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func itoa(n int) string { return strconv.Itoa(n) }

func number(t *testing.T, text string) int {
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// stubborn ignores SIGTERM, and says its number.
const stubborn = `trap "" TERM; echo pid=$$; while :; do sleep 0.05; done`

func TestAProgramRunsWhileItsContenderLeads(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-identity=carts-0_abc"}, script(`env; trap "echo stopping; exit 5" TERM; echo ready; while :; do sleep 0.05; done`))...)
	e.says("^ready$")
	held := s.lease()
	assert.Equal(t, "carts-0_abc", *held.Spec.HolderIdentity)
	assert.Equal(t, "shop/carts", e.says("^HOLDFAST_LEASE=(.*)$"))
	assert.Equal(t, "carts-0_abc", e.says("^HOLDFAST_HOLDER=(.*)$"))
	began, err := time.Parse(time.RFC3339Nano, e.says("^HOLDFAST_TERM=(.*)$"))
	require.NoError(t, err)
	assert.WithinDuration(t, held.Spec.AcquireTime.Time, began, time.Microsecond)
	assert.NotZero(t, number(t, e.says("^HOLDFAST_FENCING_TOKEN=(.*)$")))

	e.signal(syscall.SIGTERM)
	assert.Equal(t, 5, e.exits(), "the program's own code")
	e.says("^stopping$")
	assert.Empty(t, *s.lease().Spec.HolderIdentity, "released")
}

func TestTheCodeOfAProgramThatEndsByItselfIsPassedOn(t *testing.T) {
	for text, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 128 + 9, "kill -USR2 $$": 128 + 12} {
		t.Run(text, func(t *testing.T) {
			s := newStage(t)
			assert.Equal(t, want, s.elect(script(text)...).exits())
			assert.Empty(t, *s.lease().Spec.HolderIdentity, "released")
		})
	}
}

func TestACommandThatCannotBeRunNeverLeads(t *testing.T) {
	s := newStage(t)
	assert.Equal(t, 127, s.elect("--", "no-such-command").exits())
	assert.Equal(t, 126, s.elect("--", s.kubeconfig).exits())
	assert.Equal(t, 2, s.elect("-grace=-1s", "--", "sh").exits())
	assert.Zero(t, s.lastRenewal())
}

func TestAStubbornProgramIsKilledBeforeTheReleaseOfTheLease(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-grace=300ms"}, script(stubborn))...)
	pid := number(t, e.says(`^pid=(\d+)$`))
	lived := make(chan bool, 1)
	s.atRelease(func() { lived <- lives(pid) })
	e.signal(syscall.SIGTERM)
	assert.Equal(t, 128+9, e.exits())
	assert.False(t, receive(t, lived))
}

func TestAStubbornProgramIsKilledBeforeTheLeaseEnds(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-grace=1h"}, script(stubborn))...)
	pid := number(t, e.says(`^pid=(\d+)$`))
	s.endpoint.Silence()
	require.Eventually(t, func() bool { return !lives(pid) }, soon, often)
	assert.Less(t, time.Since(s.lastRenewal()), lease)
	assert.Equal(t, 1, e.exits())
	e.says("leadership was lost")
}

func TestAProgramThatStopsInTimeIsNotKilled(t *testing.T) {
	s := newStage(t)
	e := s.elect(script(`trap "echo stopped; exit 0" TERM; echo ready; while :; do sleep 0.02; done`)...)
	e.says("^ready$")
	s.endpoint.Silence()
	assert.Equal(t, 1, e.exits(), "a lost term is an error whatever the program says")
	e.says("^stopped$")
	assert.NotContains(t, e.output(), "Killing the program")
}

func TestAProgramIsKilledAtOnceWhereAnotherMayLead(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-grace=1h"}, script(stubborn))...)
	e.says(`^pid=(\d+)$`)
	require.NoError(t, s.client.CoordinationV1().Leases("shop").Delete(t.Context(), "carts", metav1.DeleteOptions{}))
	assert.Equal(t, 1, e.exits())
	e.says(`Killing the program.*leaseTaken=true`)
}

func TestASecondSignalKillsAtOnce(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-grace=1h"}, script(stubborn))...)
	e.says(`^pid=(\d+)$`)
	e.signal(syscall.SIGTERM)
	e.says("Telling the program to stop")
	e.signal(syscall.SIGINT)
	assert.Equal(t, 128+9, e.exits())
	assert.Empty(t, *s.lease().Spec.HolderIdentity, "released all the same")
}

func TestAProgramThatWasStoppedByASignalHearsOfTheEnd(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-grace=1h"}, script(`trap "exit 3" TERM; echo ready; kill -STOP $$; while :; do sleep 0.02; done`))...)
	e.says("^ready$")
	e.signal(syscall.SIGTERM)
	assert.Equal(t, 3, e.exits())
}

// daemons leaves processes behind in its group, in sessions of their own and orphaned,
// all of which ignore SIGTERM.
const daemons = `
trap "exit 0" TERM
sh -c 'trap "" TERM; echo daemon=$$; while :; do sleep 0.05; done' &
setsid sh -c 'trap "" TERM; echo daemon=$$; while :; do sleep 0.05; done' &
(setsid sh -c '(sh -c "trap \"\" TERM; echo daemon=\$\$; while :; do sleep 0.05; done" &)' &)
`

// pids waits until so many daemons have said their numbers.
func pids(t *testing.T, e *elect, number int) (all []int) {
	t.Helper()
	for _, line := range e.saysOften(`^daemon=(\d+)$`, number) {
		n, err := strconv.Atoi(line[1])
		require.NoError(t, err)
		all = append(all, n)
	}
	return all
}

func TestNothingThatAProgramHasForkedOutlivesTheTerm(t *testing.T) {
	for name, ends := range map[string]struct {
		then string
		code int
	}{
		"told to stop":     {"while :; do sleep 0.05; done", 0},
		"ending by itself": {"sleep 1; exit 9", 9},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			e := s.elect(with([]string{"-grace=300ms"}, script(daemons+ends.then))...)
			forked := pids(t, e, 3)
			alive := make(chan []int, 1)
			s.atRelease(func() {
				var left []int
				for _, pid := range forked {
					if lives(pid) {
						left = append(left, pid)
					}
				}
				alive <- left
			})
			if ends.code == 0 {
				e.signal(syscall.SIGTERM)
			}
			assert.Equal(t, ends.code, e.exits())
			assert.Empty(t, receive(t, alive))
		})
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	s := newStage(t)
	e := s.elect(script(`for s in HUP QUIT USR1 USR2 WINCH; do trap "echo got=$s" $s; done; trap "exit 0" TERM; echo ready; while :; do sleep 0.02; done`)...)
	e.says("^ready$")
	standby := s.elect(script("echo never")...)
	for name, number := range map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH,
	} {
		e.signal(number)
		e.says("^got=" + name + "$")
	}
	standby.says("Leader seen")
	standby.signal(syscall.SIGHUP) // it has nobody to pass it to, and goes on
	standby.signal(syscall.SIGTERM)
	assert.Zero(t, standby.exits())
	assert.NotContains(t, standby.output(), "\nnever")
}

// The program makes a folder that must not be there, and removes it at its end.
func TestTwoProgramsNeverRunAtOnce(t *testing.T) {
	s := newStage(t)
	text := fmt.Sprintf(`mkdir %[1]q || { echo overlap; exit 8; }; trap "rmdir %[1]q; exit 0" TERM; echo ready; while :; do sleep 0.02; done`, filepath.Join(t.TempDir(), "leads"))
	first := s.elect(script(text)...)
	first.says("^ready$")
	second := s.elect(script(text)...)
	second.says("Leader seen")
	for range 3 {
		first.signal(syscall.SIGTERM)
		assert.Zero(t, first.exits())
		second.says("^ready$")
		first, second = second, s.elect(script(text)...)
		second.says("Leader seen")
	}
}

func TestAContenderContendsAgainWhereItIsToldTo(t *testing.T) {
	s := newStage(t)
	e := s.elect(with([]string{"-again"}, script(`trap "exit 0" TERM; echo token=$HOLDFAST_FENCING_TOKEN; sleep 0.2; exit 4`))...)
	e.saysOften(`^token=\d+$`, 2)
	e.says(`Contending again.*code=4`)
	e.signal(syscall.SIGTERM)
	assert.Contains(t, []int{0, 4}, e.exits(), "it ran at that moment or it did not")

	// A lost term too.
	e = s.elect(with([]string{"-again", "-grace=1h"}, script(stubborn))...)
	e.says(`^pid=(\d+)$`)
	require.NoError(t, s.client.CoordinationV1().Leases("shop").Delete(t.Context(), "carts", metav1.DeleteOptions{}))
	e.saysOften(`^pid=\d+$`, 2)
}

func TestTheFirstProcessOfANamespaceReapsOrphans(t *testing.T) {
	s := newStage(t)
	e := s.electAs(asFirst, with([]string{"-grace=300ms"}, script(`
		for i in 1 2 3; do (setsid sh -c 'sleep 0.2; exit 3' &); done
		(setsid sh -c 'trap "" TERM; while :; do sleep 0.05; done' &)
		sleep 1; echo parent=$PPID
		trap "exit 6" TERM; while :; do sleep 0.05; done`))...)
	assert.Equal(t, "1", e.says(`^parent=(\d+)$`), "it is the first process")
	require.Eventually(t, func() bool {
		_, metrics := e.get("/metrics")
		return strings.Contains(metrics, "elect_orphans_reaped_total ") && !strings.Contains(metrics, "elect_orphans_reaped_total 0\n") &&
			!strings.Contains(metrics, "elect_orphans_reaped_total 1\n") && !strings.Contains(metrics, "elect_orphans_reaped_total 2\n")
	}, soon, often)
	assert.Zero(t, dead(t, e.command.Process.Pid), "children that have ended and were not reaped")
	e.signal(syscall.SIGTERM)
	assert.Equal(t, 6, e.exits())
	e.says("Killing the program")
}

// Nothing can be told any more by an elect that was killed, so the kernel does it.
func TestAProgramDoesNotOutliveItsElect(t *testing.T) {
	t.Run("a child", func(t *testing.T) {
		s := newStage(t)
		e := s.elect(script(stubborn)...)
		pid := number(t, e.says(`^pid=(\d+)$`))
		e.signal(syscall.SIGKILL)
		require.Eventually(t, func() bool { return !lives(pid) }, soon, often)
	})
	t.Run("all that descends from the first process", func(t *testing.T) {
		s := newStage(t)
		e := s.electAs(asFirst, script(daemons+"wait")...)
		pids(t, e, 3)
		family := descendantsOf(t, e.command.Process.Pid)
		require.GreaterOrEqual(t, len(family), 4)
		e.signal(syscall.SIGKILL)
		require.Eventually(t, func() bool {
			for _, pid := range family {
				if lives(pid) {
					return false
				}
			}
			return true
		}, soon, often)
	})
}

// What an elect that was killed has started may run for a moment longer than it, so its
// death is no proof: the other waits for the lease, also on the same host.
func TestAnElectThatIsKilledIsWaitedFor(t *testing.T) {
	s := newStage(t)
	first := s.elect(script(stubborn)...)
	first.says(`^pid=(\d+)$`)
	second := s.elect(script(`echo at=$(date +%s.%N); trap "exit 0" TERM; while :; do sleep 0.02; done`)...)
	second.says("Leader seen")
	first.signal(syscall.SIGKILL)
	<-first.ended
	renewed := s.lastRenewal()
	at, err := strconv.ParseFloat(second.says(`^at=([\d.]+)$`), 64)
	require.NoError(t, err)
	began := time.UnixMicro(int64(at * 1e6))
	assert.GreaterOrEqual(t, began.Sub(renewed), lease)
}

// The API of the tests has no Pods: the label fails, and delays nothing.
func TestALabelThatCannotBePutOnKeepsNothingUp(t *testing.T) {
	s := newStage(t)
	assert.Equal(t, 1, s.elect("-pod-label=carts", "--", "true").exits(), "without POD_NAME nobody knows the Pod")
	assert.Zero(t, s.lastRenewal())

	t.Setenv("POD_NAME", "carts-0")
	t.Setenv("POD_NAMESPACE", "shop")
	e := s.elect(with([]string{"-pod-label=carts"}, script(`trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done`))...)
	e.says("^ready$")
	e.says("The label is not where it belongs")
	e.signal(syscall.SIGTERM)
	assert.Zero(t, e.exits())
	assert.Empty(t, *s.lease().Spec.HolderIdentity, "released")
}
