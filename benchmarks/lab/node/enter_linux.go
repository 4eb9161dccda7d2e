package node

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// planVariable has the plan of the node whose first process this is.
const planVariable = "HOLDFAST_LAB_NODE"

// The first process of a node enters a control group namespace with one thread, which
// must be the main one: /proc/1 stands for it.
func init() {
	if os.Getenv(planVariable) != "" {
		runtime.LockOSThread()
	}
}

// Enter is [lab.EnterWithNodes] for programs that start nodes: call it first in main
// or TestMain. In the first process of a node it never returns.
func Enter(minors ...string) {
	text := os.Getenv(planVariable)
	if text == "" {
		lab.EnterWithNodes(minors...)
		return
	}
	var p plan
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		_ = os.Unsetenv(planVariable)
		err = boot(p)
	}
	fmt.Fprintln(os.Stderr, "node:", err)
	os.Exit(1)
}

// isRoot reports whether this process is root outside of user namespaces too.
func isRoot() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
}
