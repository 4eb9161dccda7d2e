package program

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheExitCodeSaysWhatHappened(t *testing.T) {
	ran := func(err error) Action {
		return Action{Run: func(_ context.Context, out io.Writer) error {
			fmt.Fprint(out, "done")
			return err
		}}
	}
	for name, c := range map[string]struct {
		action    Action
		parsed    error
		code      int
		out, says string
	}{
		"all went well":      {ran(nil), nil, ExitOK, "done", ""},
		"it failed":          {ran(errors.New("no laboratory")), nil, ExitFailed, "done", "cost: no laboratory\n"},
		"help":               {ran(nil), fmt.Errorf("parse: %w", flag.ErrHelp), ExitOK, "", ""},
		"a flag is unusable": {ran(nil), errors.New("-n 0: must be positive"), ExitUsage, "", "cost: -n 0: must be positive\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, says bytes.Buffer
			assert.Equal(t, c.code, do("cost", c.action, c.parsed, &out, &says))
			assert.Equal(t, c.out, out.String())
			assert.Equal(t, c.says, says.String())
		})
	}
}
