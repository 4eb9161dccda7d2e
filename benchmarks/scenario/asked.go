package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// auditPoll is how often an audit log is looked at. No figure depends on it: the
// lines say when each request came in.
const auditPoll = 50 * time.Millisecond

// theLease is what a request was about, in an event, if it was about the Lease that
// is elected through.
const theLease = "the Lease"

// auditFrom opens an audit log at its end.
func auditFrom(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err == nil {
		_, err = file.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, fmt.Errorf("read what an API server was asked: %w", err)
	}
	return file, nil
}

// listen hands to take the requests of the copies of p that are written to an audit
// log, until ctx is done.
func listen(ctx context.Context, log io.Reader, p Program, take func(event.Event)) error {
	var rest []byte
	for ended := false; ; {
		text, err := io.ReadAll(log)
		if err != nil {
			return fmt.Errorf("read what an API server was asked: %w", err)
		}
		rest = append(rest, text...)
		for {
			line, after, whole := bytes.Cut(rest, []byte{'\n'})
			if !whole {
				break
			}
			rest = after
			e, err := request(line, p)
			if err != nil {
				return err
			}
			if slices.Contains(copies, e.Who) {
				take(e)
			}
		}
		if ended {
			return nil
		}
		select {
		case <-time.After(auditPoll):
		case <-ctx.Done():
			ended = true // what was written last is still to be read
		}
	}
}

// audited is what is read of an audit.k8s.io/v1 Event.
type audited struct {
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	ObjectRef  *struct {
		Resource  string `json:"resource"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"objectRef"`
	Received time.Time `json:"requestReceivedTimestamp"`
}

// request reads a line of an audit log.
func request(line []byte, p Program) (event.Event, error) {
	var a audited
	err := json.Unmarshal(line, &a)
	if err == nil && a.Received.IsZero() {
		err = errors.New("it has no requestReceivedTimestamp")
	}
	if err != nil {
		return event.Event{}, fmt.Errorf("read what an API server was asked: %.200q: %w", line, err)
	}
	return event.Event{
		Time: a.Received, Who: a.User.Username, What: event.Requested, Verb: a.Verb, On: object(a, p),
	}, nil
}

// anotherLease begins what a request was about if it was about one that is not
// elected through; namespace and name follow.
const anotherLease = "the other Lease "

// object is what a request was about: the Lease of p, another Lease, a kind of object,
// or a path.
func object(a audited, p Program) string {
	o := a.ObjectRef
	if o == nil {
		path, _, _ := strings.Cut(a.RequestURI, "?")
		return path
	}
	among := func(named, one string) bool { return named == "" || named == one }
	switch {
	case o.Resource != "leases":
		return o.Resource
	case among(o.Namespace, p.Namespace) && among(o.Name, p.Lease):
		return theLease
	}
	return anotherLease + o.Namespace + "/" + o.Name
}

// othersAsked returns the other Leases that were asked for, each once.
func othersAsked(events []event.Event) (others []string) {
	for _, e := range events {
		if name, ok := strings.CutPrefix(e.On, anotherLease); ok && e.What == event.Requested && !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	return others
}
