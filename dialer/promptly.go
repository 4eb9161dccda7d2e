package dialer

import (
	"context"
	"time"
)

// closePatience is how long a call waits for connections to be closed.
const closePatience = 50 * time.Millisecond

// promptly closes something and does not wait for it for longer than closePatience. A
// socket of the kernel's is closed at once, whatever its peer does. A connection of the
// user's need not be: closing TLS on it writes an alert, which a tunnel takes that has
// frozen when it likes. net/http has taken what it closes from its idle connections
// before it closes the first.
func promptly(end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		quietly(context.Background(), end)
	}()
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
