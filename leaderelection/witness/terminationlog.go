package witness

import (
	"fmt"
	"os"
	"sync"

	"github.com/holdfast-go/holdfast/internal/death"
)

// written are the words that this process has written, by the path of the log. A
// process that leads many leases writes one line.
var written struct {
	sync.Mutex
	words map[string]death.Word
}

// writeWord appends a line with a new word to a termination log, unless this process
// has done so before, and returns the word.
func writeWord(path string) (death.Word, error) {
	written.Lock()
	defer written.Unlock()
	if w, done := written.words[path]; done {
		return w, nil
	}
	w, err := death.NewWord()
	if err != nil {
		return "", err
	}
	if err := appendLine(path, string(w)); err != nil {
		return "", err
	}
	if written.words == nil {
		written.words = map[string]death.Word{}
	}
	written.words[path] = w
	return w, nil
}

// appendLine does not make the file: one that the kubelet has not made is not shown.
func appendLine(path, line string) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file but %s", path, info.Mode())
	}
	log, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() {
		if closed := log.Close(); err == nil {
			err = closed
		}
	}()
	text := line + "\n"
	if info.Size() > 0 {
		text = "\n" + text // what stands there may lack the end of its line
	}
	_, err = log.WriteString(text)
	return err
}
