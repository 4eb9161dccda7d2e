package witness

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

// childMode makes the test binary one of the processes that a test is about.
const childMode = "HOLDFAST_TEST_WITNESS_CHILD"

// actAs is what such a process does, where there are any.
var actAs func(mode string)

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		actAs(mode)
		return
	}
	goleak.VerifyTestMain(m)
}
