package cost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// answerBound is how long a crowd may take to say what it costs, with a
// collection of a large heap on a busy machine.
const answerBound = 30 * time.Second

// member is a crowd that runs on a host of its own.
type member struct {
	host    *lab.Host
	process *lab.Process
	says    *readings
	size    int
	// empty is its first reading, before any contender has begun.
	empty Reading
}

// start starts a crowd and returns when it has said what it costs empty.
func start(ctx context.Context, l *lab.Lab, name string, c *crowd, o contender.Options) (*member, error) {
	path, args, env, err := c.command(o)
	if err != nil {
		return nil, err
	}
	host, err := l.NewHost(name)
	if err != nil {
		return nil, err
	}
	m := &member{host: host, size: c.Size, says: &readings{to: make(chan Reading, 1), bad: make(chan error, 1)}}
	m.process, err = host.Start(lab.Command{Path: path, Args: args, Env: env, Stdout: m.says})
	if err == nil {
		m.empty, err = m.next(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, host.Close())
	}
	return m, nil
}

// ask returns a new reading.
func (m *member) ask(ctx context.Context, how os.Signal) (Reading, error) {
	if err := m.process.Signal(how); err != nil {
		return Reading{}, err
	}
	return m.next(ctx)
}

func (m *member) next(ctx context.Context) (Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, answerBound)
	defer cancel()
	select {
	case r := <-m.says.to:
		return r, nil
	case err := <-m.says.bad:
		return Reading{}, fmt.Errorf("crowd on host %q: %w", m.host.Name(), err)
	case <-m.process.Done():
		return Reading{}, fmt.Errorf("crowd on host %q: it has exited with code %d; its log is %s", m.host.Name(), m.process.ExitCode(), m.host.LogPath())
	case <-ctx.Done():
		return Reading{}, fmt.Errorf("crowd on host %q: no reading: %w", m.host.Name(), ctx.Err())
	}
}

// readings is the output of a crowd: a reading on each line.
type readings struct {
	rest []byte
	to   chan Reading
	bad  chan error
}

// Write takes bytes of the output; it never fails.
func (w *readings) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte{'\n'})
		if !whole {
			return len(p), nil
		}
		w.rest = rest
		var r Reading
		if err := json.Unmarshal(line, &r); err != nil {
			select {
			case w.bad <- fmt.Errorf("its line %q is no reading: %w", line, err):
			default:
			}
			continue
		}
		select {
		case w.to <- r:
		default: // nobody asked
		}
	}
}
