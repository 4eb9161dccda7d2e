// Package browsertest tests the page of the failover demonstration in a real
// browser, headless. It needs Chromium (Debian: chromium) and fails without.
// PAGE_SHOTS=directory keeps pictures of what the page looked like.
package browsertest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// within bounds everything that the browser does in a test.
const within = 90 * time.Second

// startProgram builds and starts the demonstration with its page on a free port,
// and returns where it is. Flags are added. It ends with the test, which fails if it ends badly.
func startProgram(t *testing.T, flags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "failover")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = ".."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "building the demonstration: %s", out)

	program := exec.Command(binary, append([]string{"-page", "127.0.0.1:0"}, flags...)...)
	program.Stderr = os.Stderr
	stdout, err := program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	t.Cleanup(func() {
		if !assert.NoError(t, program.Process.Signal(syscall.SIGINT)) {
			return
		}
		kill := time.AfterFunc(10*time.Second, func() { _ = program.Process.Kill() })
		defer kill.Stop()
		assert.NoError(t, program.Wait(), "the program ends well when interrupted, streams open or not")
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "the program says where its page is")
	_, rest, ok := strings.Cut(line, "http://")
	require.True(t, ok, "no address in %q", line)
	address, _, _ := strings.Cut(rest, "/")
	return address
}

// open opens the page in a browser of its own that talks to nobody else. An
// exception in the page fails the test.
func open(t *testing.T, url string) *page {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	require.NotEmpty(t, path, "this test needs Chromium in PATH: apt-get install chromium")

	bounded, cancel := context.WithTimeout(context.Background(), within)
	t.Cleanup(cancel)
	allocator, cancel := chromedp.NewExecAllocator(bounded,
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1240, 1000),
		chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"),
		chromedp.WSURLReadTimeout(30*time.Second),
	)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	thrown := make(chan string, 16)
	require.NoError(t, chromedp.Listen(ctx, func(e any) {
		if e, ok := e.(*runtime.EventExceptionThrown); ok {
			select {
			case thrown <- fmt.Sprintf("%s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception):
			default: // the first ones say it
			}
		}
	}), "starting %s", path)
	t.Cleanup(func() {
		select {
		case text := <-thrown:
			t.Errorf("the page threw: %s", text)
		default:
		}
	})
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(url)), "opening %s", url)
	return &page{t: t, ctx: ctx}
}
