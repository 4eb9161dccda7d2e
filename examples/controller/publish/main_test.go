package publish

import (
	"testing"

	"go.uber.org/goleak"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
