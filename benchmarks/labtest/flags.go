package labtest

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// BadFlags parses command lines, words with spaces between them, and fails the test
// where the error does not say what is wrong.
func BadFlags[C any](t *testing.T, parse func(args []string, usage io.Writer) (C, error), says map[string]string) {
	t.Helper()
	for line, wrong := range says {
		_, err := parse(strings.Fields(line), io.Discard)
		assert.ErrorContains(t, err, wrong, line)
	}
}
