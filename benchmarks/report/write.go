package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// Write makes the report of in and writes it to the folder dir, which it
// makes: report.md, figures.md, and the plots. Plots that an earlier report.md
// there shows are removed, so that all that stands there is of one input; no
// other file is touched. The same input gives the same bytes.
func Write(dir string, in Input) error {
	drawn, undone, err := drawings(in)
	if err != nil {
		return fmt.Errorf("report to %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report to %s: %w", dir, err)
	}
	if err := removeShown(dir); err != nil {
		return fmt.Errorf("report to %s: remove an earlier plot: %w", dir, err)
	}
	files := map[string][]byte{
		"report.md":  []byte(compose(in, drawn, undone)),
		"figures.md": []byte(composeFigures(in)),
	}
	for _, d := range drawn {
		files[d.file] = d.svg
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("report to %s: %w", dir, err)
		}
	}
	return nil
}

// shown is a plot in a report: a name as fileName makes it, in the same folder.
var shown = regexp.MustCompile(`\]\(([a-z0-9.-]+\.svg)\)`)

// removeShown removes the plots that the report in dir shows, if there is one.
func removeShown(dir string) error {
	earlier, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, match := range shown.FindAllSubmatch(earlier, -1) {
		if err := os.Remove(filepath.Join(dir, string(match[1]))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
