package result

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// line is what stands on a line of the file: one of its fields.
type line struct {
	Run    *Run    `json:"run,omitempty"`
	Sample *Sample `json:"sample,omitempty"`
}

// Writer writes a file of results. It is safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	out *json.Encoder
}

// NewWriter writes the run's line to out and returns a Writer for its samples.
func NewWriter(out io.Writer, run Run) (*Writer, error) {
	w := &Writer{out: json.NewEncoder(out)}
	return w, w.write(line{Run: &run})
}

// NewAppender returns a Writer for further samples of a file whose run's line is
// written already.
func NewAppender(out io.Writer) *Writer { return &Writer{out: json.NewEncoder(out)} }

// Write appends a sample. Each is one write to the underlying writer, so that
// a run that is ended leaves whole lines.
func (w *Writer) Write(s Sample) error { return w.write(line{Sample: &s}) }

func (w *Writer) write(l line) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.Encode(l); err != nil {
		return fmt.Errorf("write a result: %w", err)
	}
	return nil
}

// maxLine bounds a line: a sample with the events of a long run.
const maxLine = 64 << 20

// Read returns the run and the samples of a file. A line that is no result is
// an error that names it.
func Read(in io.Reader) (Run, []Sample, error) {
	var (
		run     *Run
		samples []Sample
		number  int
	)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		number++
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return Run{}, nil, fmt.Errorf("line %d of the results: %w", number, err)
		}
		switch {
		case l.Run != nil && run == nil && len(samples) == 0:
			run = l.Run
		case l.Sample != nil && run != nil:
			samples = append(samples, *l.Sample)
		default:
			return Run{}, nil, fmt.Errorf("line %d of the results: it must be the run on line 1 and a sample on every other", number)
		}
	}
	if err := lines.Err(); err != nil {
		return Run{}, nil, fmt.Errorf("line %d of the results: %w", number+1, err)
	}
	if run == nil {
		return Run{}, nil, errors.New("the results are empty: line 1 must be the run")
	}
	return *run, samples, nil
}
