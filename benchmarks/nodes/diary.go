package nodes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Diary is what one process has written of itself.
type Diary struct {
	// Who is the identity in the Lease: the Pod, the container, and a word of this
	// process alone, as in web-1_a-X7KP2MQA.
	Who string
	// Started is when the kernel made the process, to a hundredth of a second.
	Started time.Time
	Terms   []Term
}

// A Term is a time in which a process has worked: from the call of OnStartedLeading to
// the last piece of work that it wrote down.
type Term struct{ From, To time.Time }

// Pod is the name of the Pod that the process ran in.
func (d Diary) Pod() string {
	pod, _, _ := strings.Cut(d.Who, "_")
	return pod
}

// Container is the name of the container in that Pod.
func (d Diary) Container() string {
	_, process, _ := strings.Cut(d.Who, "_")
	container, _, _ := strings.Cut(process, "-")
	return container
}

// parseDiary reads lines of a word and a time. The last may be cut off, by a death.
func parseDiary(who string, from io.Reader) (Diary, error) {
	d := Diary{Who: who}
	for lines := bufio.NewReader(from); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return d, err
		}
		what, at, _ := strings.Cut(strings.TrimSpace(line), " ")
		ns, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return d, fmt.Errorf("diary of %s: line %q: %w", who, line, err)
		}
		when := time.Unix(0, ns)
		switch what {
		case "started":
			d.Started = when
		case "leading":
			d.Terms = append(d.Terms, Term{when, when})
		case "work", "stopped":
			if len(d.Terms) == 0 {
				return d, fmt.Errorf("diary of %s: %q before any term", who, line)
			}
			d.Terms[len(d.Terms)-1].To = when
		default:
			return d, fmt.Errorf("diary of %s: line %q: what is that", who, line)
		}
	}
}

// bySeniority returns the diaries, whoever was started first before the others.
func bySeniority(all []Diary) []Diary {
	return slices.SortedFunc(slices.Values(all), func(a, b Diary) int { return a.Started.Compare(b.Started) })
}

// diaries are those of the processes of a play, on all nodes.
func (s *Stage) diaries(play string) ([]Diary, error) {
	var all []Diary
	for _, n := range s.Nodes {
		paths, err := filepath.Glob(filepath.Join(n.Folder(), play+"-*"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			file, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			d, err := parseDiary(filepath.Base(path), file)
			if err := errors.Join(err, file.Close()); err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// Overlap returns an error that names two terms of different processes which overlap.
func Overlap(diaries []Diary) error {
	for i, a := range diaries {
		for _, b := range diaries[:i] {
			for _, x := range a.Terms {
				for _, y := range b.Terms {
					if !x.From.After(y.To) && !y.From.After(x.To) {
						return fmt.Errorf("two work at once: %s from %s to %s, %s from %s to %s",
							a.Who, clock(x.From), clock(x.To), b.Who, clock(y.From), clock(y.To))
					}
				}
			}
		}
	}
	return nil
}

// Early returns an error if somebody led before the lease of the leader before him had
// ended, which is what must not be without a proof of that one's death. Who has
// released his lease is waited for by nobody.
func Early(diaries []Diary, records []Record) error {
	for _, a := range diaries {
		end := LeaseEnd(records, a.Who)
		if end.IsZero() {
			continue
		}
		for _, b := range diaries {
			for _, x := range a.Terms {
				for _, y := range b.Terms {
					if a.Who != b.Who && y.From.After(x.From) && y.From.Before(end) {
						return fmt.Errorf("%s led at %s, before the lease of %s ended at %s", b.Who, clock(y.From), a.Who, clock(end))
					}
				}
			}
		}
	}
	return nil
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
