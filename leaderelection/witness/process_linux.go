package witness

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/internal/death"
)

// Leave implements Witness. The first call opens the socket, and later ones return
// the same testimony.
func (Process) Leave(context.Context) (string, error) {
	t, err := ownSocket.leave()
	if err != nil {
		return "", fmt.Errorf("cannot leave a socket for other processes: %w", err)
	}
	return t.String(), nil
}

// The pauses between two tries to bind a name that is taken. The name of a process
// that has died is free a moment after its connections have ended. The longest pause
// is for a name that cannot be waited for by a connection.
const (
	shortestTry = time.Millisecond
	longestTry  = 50 * time.Millisecond
)

// Await implements Witness.
//
// It has nothing to say about this process itself: no process outlives itself, and
// what a part of it may take over from another part is the lease's to decide.
func (Process) Await(ctx context.Context, testimony string) (Proof, error) {
	if err := bearable(testimony); err != nil {
		return Proof{}, err
	}
	t, err := death.ParseProcessTestimony(testimony)
	if err != nil {
		return Proof{}, noProof("%w", err)
	}
	if ownSocket.has(t.Name) {
		return Proof{}, noProof("the testimony is this process's own")
	}
	for pause := shortestTry; ; pause = min(2*pause, longestTry) {
		free, err := isFree(t)
		if err != nil {
			return Proof{}, err
		}
		if free {
			return Proof{
				Testimony: testimony,
				Evidence:  "the kernel has taken back the socket " + t.Name,
				Again:     func(ctx context.Context) error { return checkFree(ctx, t) },
			}, nil
		}
		// One who took the name of the dead could end connections at once, so
		// only one that lasted is a reason to hurry.
		if lasted := awaitEnd(ctx, t.Name); lasted >= time.Second {
			pause = shortestTry
			continue
		}
		if err := sleep(ctx, pause); err != nil {
			return Proof{}, err
		}
	}
}

// checkFree is Again of a proof. Other candidates try to bind the same name at
// the same time, each for a moment, so one refusal means little.
func checkFree(ctx context.Context, t death.ProcessTestimony) error {
	for pause := shortestTry; ; pause = min(2*pause, longestTry) {
		free, err := isFree(t)
		if err != nil || free {
			return err
		}
		if pause == longestTry {
			return fmt.Errorf("the socket %s is taken", t.Name)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// isFree reports whether the name can be bound here. An error wraps ErrNoProof.
func isFree(t death.ProcessTestimony) (bool, error) {
	free, here, err := tryBind(t.Name)
	switch {
	case err != nil:
		return false, noProof("cannot try to bind the socket %s: %w", t.Name, err)
	case !t.Place.Is(here):
		return false, noProof("the socket %s is of another place (%s, here it is %s)", t.Name, death.Quote(t.Place.String()), here)
	}
	return free, nil
}
