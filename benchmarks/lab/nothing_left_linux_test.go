package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// modes are the parts that the test binary plays besides that of the tests.
var modes = map[string]func(){
	"hostname": func() { name, _ := os.Hostname(); fmt.Print(name) },
	"exit7":    func() { os.Exit(7) },
	"resolve":  resolve,
	"block":    block,
	"holding":  holding,
	"closing":  func() { report(closing()) },
}

// resolve prints the address of relay.example, which nothing but /etc/hosts is asked for.
func resolve() {
	files := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no nameserver is asked")
	}}
	addrs, err := files.LookupHost(context.Background(), "relay.example")
	if err != nil {
		addrs = []string{"unknown"}
	}
	fmt.Print(strings.Join(addrs, " "))
}

// block lasts longer than any test.
func block() { time.Sleep(time.Hour) }

// holding enters a laboratory, starts what a lab is made of, and blocks.
func holding() {
	Enter()
	if _, err := newFolder("", false); err != nil {
		report(err)
	}
	r, err := newRouter()
	report(err)
	l, err := r.connect("held")
	report(err)
	_, err = start(l, "held", Command{Path: "/proc/self/exe", Env: []string{modeVariable + "=block"}}, os.Stderr)
	report(err)
	fmt.Println("holding")
	block()
}

// closing enters a laboratory, fails to start a lab, starts one, closes it, and
// says what is left.
func closing() error {
	Enter()
	before, err := processes()
	if err != nil {
		return err
	}
	_, err = Start(context.Background(), Options{APIServers: 1, APIServerArgs: []string{"--no-such-flag"}})
	if err == nil {
		return errors.New("a lab started with a bad flag")
	}
	fmt.Println(err)
	if err := nothingLeft(before); err != nil {
		return fmt.Errorf("after the failed start: %w", err)
	}

	l, err := Start(context.Background(), Options{APIServers: 1})
	if err != nil {
		return err
	}
	if _, err := Start(context.Background(), Options{}); err == nil || !strings.Contains(err.Error(), "another lab is open") {
		return fmt.Errorf("a second lab beside the first: %w", err)
	}
	during, err := processes()
	if err != nil {
		return err
	}
	if len(during) != len(before)+2 {
		return fmt.Errorf("an open lab has processes %q", during)
	}
	if err := l.Close(); err != nil {
		return err
	}
	if err := nothingLeft(before); err != nil {
		return fmt.Errorf("after Close: %w", err)
	}
	return l.Close()
}

func report(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func nothingLeft(before []string) error {
	now, err := processes()
	if err != nil {
		return err
	}
	if !slices.Equal(before, now) {
		return fmt.Errorf("processes left: %q", now)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		return fmt.Errorf("files left: %q", left)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	if len(interfaces) != 1 {
		return fmt.Errorf("interfaces left: %v", interfaces)
	}
	return goleak.Find(goleak.IgnoreTopFunction("os/signal.signal_recv"))
}

// processes are those of this test run, by the folder they were given for
// temporary files.
func processes() ([]string, error) {
	mark := []byte("TMPDIR=" + os.TempDir() + "\x00")
	return marked(mark)
}

func marked(mark []byte) ([]string, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, mark) {
			found = append(found, strings.Split(path, "/")[2])
		}
	}
	return found, nil
}

func pid(p *Process) string { return strconv.Itoa(p.Pid()) }

// nested prepares the test binary to play a part in a laboratory of its own,
// with a folder of its own for temporary files.
func nested(t *testing.T, mode string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	tmp = t.TempDir()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), stateVariable+"=", modeVariable+"="+mode, "TMPDIR="+tmp)
	return cmd, tmp
}

func TestNothingIsLeftAfterCloseAndAfterAFailedStart(t *testing.T) {
	cmd, tmp := nested(t, "closing")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "api-0 exited (exit status 1) before it was ready")
	assert.Contains(t, string(out), "unknown flag: --no-such-flag", "the error quotes the log")
	assert.Contains(t, string(out), tmp, "and says where it lies")
}

func TestNothingIsLeftWhenTheLaboratoryIsEnded(t *testing.T) {
	for _, s := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGKILL} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			cmd, tmp := nested(t, "holding")
			mark := []byte("TMPDIR=" + tmp + "\x00")
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "holding\n", line)
			running, err := marked(mark)
			require.NoError(t, err)
			require.Len(t, running, 3, "outside, inside, and the process on the host")
			folders := func() []string {
				found, err := filepath.Glob(filepath.Join(tmp, folderPrefix+"*"))
				require.NoError(t, err)
				return found
			}
			require.Len(t, folders(), 1)

			require.NoError(t, cmd.Process.Signal(s))
			require.Error(t, cmd.Wait(), "an ended laboratory is no success")
			require.Eventually(t, func() bool {
				left, err := marked(mark)
				return err == nil && len(left) == 0
			}, 5*time.Second, 10*time.Millisecond, "every process is gone")
			if s == unix.SIGKILL { // nobody was left to clear up: the next lab does it
				require.Eventually(t, func() bool { sweep(tmp, time.Now()); return len(folders()) == 0 },
					5*time.Second, 10*time.Millisecond)
			}
			assert.Empty(t, folders())
		})
	}
}

func TestEnterPassesTheExitCodeOn(t *testing.T) {
	cmd, _ := nested(t, "closing")
	cmd.Env = append(cmd.Env, AssetsVariable+"=/no/such/folder")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Contains(t, string(out), "lab: KUBEBUILDER_ASSETS=/no/such/folder: kube-apiserver is missing: stat /no/such/folder/kube-apiserver: no such file or directory")
}
