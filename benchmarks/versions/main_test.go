package versions

import (
	"flag"
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

var long = flag.Bool("long", false, "each way ten times, not twice")

func TestMain(m *testing.M) {
	contender.Main()
	lab.Enter(lab.Minors()...)
	os.Exit(m.Run())
}
