package here

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestARunSaysWhereItTookPlace(t *testing.T) {
	r := Run(7, "1m")
	assert.Equal(t, uint64(7), r.Seed)
	assert.Equal(t, "1m", r.Budget)
	assert.Equal(t, runtime.NumCPU(), r.Machine.Cores)
	assert.Equal(t, runtime.Version(), r.Versions["go"])
	assert.NotContains(t, r.Command, "/here.test", "the folder of the program is nobody's business")
}

func TestFieldsOfProc(t *testing.T) {
	const meminfo = "MemTotal:       24576000 kB\nMemFree: 1 kB\n"
	assert.Equal(t, uint64(24576000)<<10, kilobytes(field(meminfo, "MemTotal")))
	assert.Zero(t, kilobytes(field(meminfo, "Nothing")))
	assert.Zero(t, kilobytes("12 pages"))
	assert.Equal(t, "A: B", field("model name\t: A: B\n", "model name"))
}
