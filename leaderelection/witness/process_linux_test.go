package witness

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/death"
)

// within bounds what must come, and is far longer than it takes.
const within = 30 * time.Second

// awaiting has the process's death awaited, and returns the way to the answer.
func awaiting(ctx context.Context, testimony string) <-chan error {
	answer := make(chan error, 1)
	go func() {
		proof, err := Process{}.Await(ctx, testimony)
		if err == nil {
			err = proof.Check(ctx, testimony)
		}
		answer <- err
	}()
	return answer
}

func TestWhoIsProvenDeadRunsNoMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counters")
	require.NoError(t, os.WriteFile(path, make([]byte, os.Getpagesize()), 0o600))
	shared := counters(path)
	var took []time.Duration
	for range 100 {
		holder := start(t, "busy", with(childFile, path))
		ctx, cancel := context.WithTimeout(t.Context(), within)
		answer := awaiting(ctx, holder.said)
		before := counted(shared)
		require.Eventually(t, func() bool { return counted(shared) != before }, within, time.Millisecond)
		select {
		case err := <-answer:
			t.Fatalf("an answer about a process that works: %v", err)
		default:
		}
		killed := time.Now()
		holder.signal(t, syscall.SIGKILL)
		err := <-answer
		at := counted(shared)
		took = append(took, time.Since(killed))
		require.NoError(t, err)
		time.Sleep(2 * time.Millisecond) // for a thread that went on
		require.Equal(t, at, counted(shared))
		cancel()
		require.Error(t, holder.Wait())
	}
	slices.Sort(took)
	t.Logf("from the signal to the proof: median %v, most %v", took[len(took)/2], took[len(took)-1])
}

func TestTheOneThatIsStartedInItsPlaceKnows(t *testing.T) {
	for range 10 {
		holder := start(t, "holder")
		holder.signal(t, syscall.SIGKILL)
		require.Error(t, holder.Wait())
		assert.Equal(t, "proven: <nil>", start(t, "successor", with(childTestimony, holder.said)).said)
	}
}

func TestTheLivingAreNotProvenDead(t *testing.T) {
	holder := start(t, "holder")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var answers []<-chan error
	for range 20 {
		answers = append(answers, awaiting(ctx, holder.said))
	}
	silent := func(while string) {
		until := time.After(500 * time.Millisecond)
		for _, a := range answers {
			select {
			case err := <-a:
				t.Fatalf("an answer about a process that is %s: %v", while, err)
			case <-until:
				until = time.After(0)
			}
		}
		parsed, err := death.ParseProcessTestimony(holder.said)
		require.NoError(t, err)
		require.ErrorContains(t, checkFree(ctx, parsed), "is taken")
	}
	silent("alive")
	holder.signal(t, syscall.SIGSTOP)
	silent("stopped")
	holder.signal(t, syscall.SIGCONT)
	silent("alive again")
	holder.signal(t, syscall.SIGKILL)
	for _, a := range answers {
		require.NoError(t, <-a)
	}
}

func TestWhoFindsTheQueueFullTriesTheName(t *testing.T) {
	holder := start(t, "holder")
	parsed, err := death.ParseProcessTestimony(holder.said)
	require.NoError(t, err)
	accepted := 0
	for {
		conn, err := net.Dial("unix", address(parsed.Name).Name)
		if err != nil {
			break
		}
		defer func() { _ = conn.Close() }()
		accepted++
		require.Less(t, accepted, 2*queue)
	}
	assert.GreaterOrEqual(t, accepted, queue)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	answer := awaiting(ctx, holder.said)
	select {
	case err := <-answer:
		t.Fatalf("an answer about a process that lives: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	holder.signal(t, syscall.SIGKILL)
	require.NoError(t, <-answer)
}

func TestWhatAProcessStartsDoesNotKeepItAlive(t *testing.T) {
	holder := start(t, "parent")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	answer := awaiting(ctx, holder.said)
	holder.signal(t, syscall.SIGKILL)
	require.NoError(t, <-answer)
}

func TestAProcessThatBecomesAnotherProgramIsDead(t *testing.T) {
	holder := start(t, "exec")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	answer := awaiting(ctx, holder.said)
	select {
	case err := <-answer:
		t.Fatalf("an answer about a process that lives: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	_, err := holder.in.Write([]byte("\n"))
	require.NoError(t, err)
	require.NoError(t, <-answer)
	require.NoError(t, holder.Process.Signal(syscall.Signal(0)), "the process is still there")
}

// One who takes the name of the dead hides the death and proves nothing, and gains
// no more than a few connections a second.
func TestWhoTakesTheNameHidesTheDeath(t *testing.T) {
	holder := start(t, "holder")
	parsed, err := death.ParseProcessTestimony(holder.said)
	require.NoError(t, err)
	holder.signal(t, syscall.SIGKILL)
	require.Error(t, holder.Wait())
	impostor, err := net.Listen("unix", address(parsed.Name).Name)
	require.NoError(t, err)
	var connections atomic.Int64
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := impostor.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_, _ = conn.Write([]byte("dead"))
			_ = conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	answer := awaiting(ctx, holder.said)
	select {
	case err := <-answer:
		t.Fatalf("an answer while the name is taken: %v", err)
	case <-time.After(time.Second):
	}
	assert.LessOrEqual(t, connections.Load(), int64(time.Second/longestTry)+10)
	assert.Positive(t, connections.Load())
	require.NoError(t, impostor.Close())
	<-served
	require.NoError(t, <-answer)
}

func TestAProofIsLookedForAnew(t *testing.T) {
	holder := start(t, "holder")
	holder.signal(t, syscall.SIGKILL)
	proof, err := Process{}.Await(t.Context(), holder.said)
	require.NoError(t, err)
	require.NoError(t, proof.Check(t.Context(), holder.said))
	require.Error(t, proof.Check(t.Context(), holder.said+" "))
	parsed, err := death.ParseProcessTestimony(holder.said)
	require.NoError(t, err)
	taken, err := net.Listen("unix", address(parsed.Name).Name)
	require.NoError(t, err)
	require.ErrorContains(t, proof.Check(t.Context(), holder.said), "is taken")
	require.NoError(t, taken.Close())
	require.NoError(t, proof.Check(t.Context(), holder.said))
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	holder := start(t, "holder")
	ctx, cancel := context.WithCancelCause(t.Context())
	answer := awaiting(ctx, holder.said)
	time.AfterFunc(50*time.Millisecond, func() { cancel(os.ErrDeadlineExceeded) })
	require.ErrorIs(t, <-answer, os.ErrDeadlineExceeded)
}

func TestOfItselfAProcessSaysNothing(t *testing.T) {
	// In a bubble a goroutine that waits for a socket would stop the time, and
	// users' tests with it.
	synctest.Test(t, func(t *testing.T) {
		testimony, err := Process{}.Leave(t.Context())
		require.NoError(t, err)
		again, err := Process{}.Leave(t.Context())
		require.NoError(t, err)
		assert.Equal(t, testimony, again)
		_, err = Process{}.Await(t.Context(), testimony)
		require.ErrorIs(t, err, ErrNoProof)
		time.Sleep(time.Hour)
	})
}

func TestATestimonyOfAnotherPlaceProvesNothing(t *testing.T) {
	holder := start(t, "holder")
	holder.signal(t, syscall.SIGKILL)
	require.Error(t, holder.Wait())
	name, where, _ := strings.Cut(holder.said, " ")
	other := strings.Repeat("0", 32)
	for what, testimony := range map[string]string{
		"empty":               "",
		"garbage":             "\xff\xfe\x00",
		"no place":            name,
		"an empty place":      name + " ",
		"no name":             where,
		"a short name":        name[1:] + " " + where,
		"a long name":         name + "0 " + where,
		"a name of NULs":      strings.Repeat("\x00", 32) + " " + where,
		"a name with a NUL":   name[:31] + "\x00 " + where,
		"a path":              "../../run/docker.sock0123456789ab " + where,
		"a name in capitals":  strings.ToUpper(name[:31]) + "A " + where,
		"another boot":        strings.Replace(holder.said, "boot=", "boot=0", 1),
		"another namespace":   strings.Replace(holder.said, "net=", "net=1", 1),
		"another cookie":      strings.Replace(holder.said, "cookie=", "cookie=1", 1),
		"another address":     strings.Replace(holder.said, "from=", "from=203.0.113.9,", 1),
		"another clock":       strings.Replace(holder.said, "epoch=", "epoch=1", 1),
		"no epoch":            strings.Replace(holder.said, "epoch=", "e=", 1),
		"two epochs":          holder.said + " epoch=1",
		"an epoch too great":  name + " x epoch=9223372036854775807",
		"an epoch too small":  name + " x epoch=-9223372036854775808",
		"an endless epoch":    name + " x epoch=" + strings.Repeat("9", 500),
		"a line more":         holder.said + "\n",
		"a NUL at the end":    holder.said + "\x00",
		"a space more":        other + "  " + where,
		"far too long":        holder.said + strings.Repeat("x", 1<<20),
		"one byte too long":   name + " " + strings.Repeat("x", MaxTestimony-32),
		"an identity of NULs": name + " \x00 epoch=0",
	} {
		start := time.Now()
		proof, err := Process{}.Await(t.Context(), testimony)
		require.ErrorIs(t, err, ErrNoProof, what)
		assert.Less(t, len(err.Error()), 700, what)
		assert.Error(t, proof.Check(t.Context(), testimony), what)
		assert.Less(t, time.Since(start), within, what)
	}
	_, err := Process{}.Await(t.Context(), holder.said)
	require.NoError(t, err, "as it was")
}

// ownNetwork has a child run in a network namespace of its own.
func ownNetwork(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

func TestOneNetworkNamespaceKnowsNothingOfAnother(t *testing.T) {
	if err := func() error {
		c := exec.Command("/bin/true")
		ownNetwork(c)
		return c.Run()
	}(); err != nil {
		t.Skipf("no network namespace of one's own: %v", err)
	}
	here, there := start(t, "holder"), start(t, "holder", ownNetwork)
	thread := start(t, "thread", ownNetwork)
	require.NotContains(t, thread.said, "error")
	for what, testimony := range map[string]string{"here": here.said, "there": there.said, "of a thread": thread.said} {
		said := start(t, "successor", ownNetwork, with(childTestimony, testimony)).said
		assert.Contains(t, said, "is of another place", what)
		assert.Contains(t, said, "no proof", what)
	}
	for _, testimony := range []string{there.said, thread.said} {
		_, err := Process{}.Await(t.Context(), testimony)
		require.ErrorIs(t, err, ErrNoProof)
	}
	assert.NotEqual(t, field(there.said, "net="), field(thread.said, "net="))
	// A thread's namespace is the one that counts, not that of its process.
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", thread.Process.Pid))
	require.NoError(t, err)
	_, inode, _ := strings.Cut(field(thread.said, "net="), ":")
	assert.NotEqual(t, "net:["+inode+"]", namespace)
}

func TestAProcessThatMayOpenNothingLosesNothing(t *testing.T) {
	holder := start(t, "holder")
	said := start(t, "poor", with(childTestimony, holder.said)).said
	assert.Contains(t, said, "error: cannot leave a socket for other processes: socket: too many open files")
	assert.Contains(t, said, "| no proof")
}

// field returns a part of a testimony.
func field(testimony, key string) string {
	for part := range strings.FieldsSeq(testimony) {
		if value, is := strings.CutPrefix(part, key); is {
			return value
		}
	}
	return ""
}
