package contender

import (
	"context"
	"fmt"
	"os"

	"k8s.io/client-go/rest"
)

// unpinged is client-go without the pings by which its HTTP/2 connections
// notice a silent peer: as it was before it had them, and as it is where
// they are switched off. The switch is the environment variable of
// k8s.io/apimachinery/pkg/util/net, which is read when a transport is made, and
// is that of this whole process.
var unpinged = peer{
	stuck:   true,
	refuses: clientGoRefuses,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		if err := os.Setenv(PingVariable, "0"); err != nil {
			return fmt.Errorf("switch HTTP/2 pings off: %w", err)
		}
		return clientGo.contend(ctx, o, config, leading, stopped)
	},
}

// PingVariable is the environment variable that says after how many seconds
// without a frame client-go pings an HTTP/2 connection; 0 is never.
const PingVariable = "HTTP2_READ_IDLE_TIMEOUT_SECONDS"
