package nodes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheTableHasMedianAndWorstOfEachPeer(t *testing.T) {
	cases := []Case{{Name: "a", Text: "What a is.", Bound: time.Second}, {Name: "b", Text: "What b is.", Bound: time.Second}}
	m := Measured{"a": {Here: {2 * time.Second, 100 * time.Millisecond, 300 * time.Millisecond}, "client-go": {16 * time.Second, 17 * time.Second}}}
	assert.Equal(t, `| case | client-go: median | worst | n | here: median | worst | n | bound |
| --- | --: | --: | --: | --: | --: | --: | --: |
| What a is. | 16.00 s | 17.00 s | 2 | 0.30 s | 2.00 s | 3 | 1.00 s |
| What b is. | – | – | 0 | – | – | 0 | 1.00 s |
`, m.Table(cases, []string{"client-go", Here}))
	assert.Equal(t, []string{"a: 2.00 s, bound 1.00 s"}, m.Missed(cases))
}
