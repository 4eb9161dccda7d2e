package result

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// File is a file of results that is being written. It is safe for concurrent
// use.
type File struct {
	*Writer
	file *os.File // nil where nothing is kept
}

// Create makes the file at path, which must not exist, and writes the run's
// line. With an empty path nothing is kept.
func Create(path string, run Run) (*File, error) {
	if path == "" {
		return &File{Writer: NewAppender(io.Discard)}, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create a file of results: %w", err)
	}
	writer, err := NewWriter(file, run)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return &File{Writer: writer, file: file}, nil
}

// Append opens the file at path, whose run's line is written already, to write
// further samples, and returns what it holds.
func Append(path string) (*File, Run, []Sample, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_RDWR, 0)
	if err != nil {
		return nil, Run{}, nil, fmt.Errorf("go on with a file of results: %w", err)
	}
	run, samples, err := Read(file)
	if err != nil {
		return nil, Run{}, nil, errors.Join(fmt.Errorf("go on with %s: %w", path, err), file.Close())
	}
	return &File{Writer: NewAppender(file), file: file}, run, samples, nil
}

// Close closes the file. Every sample that was written is in it already.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
