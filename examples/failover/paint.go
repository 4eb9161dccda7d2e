package main

import (
	"io"
	"os"
)

// paint colours text where colours can be seen.
type paint bool

// paintFor colours what goes to a terminal, unless NO_COLOR is set or the
// terminal is dumb.
func paintFor(out io.Writer) paint {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return paint(err == nil && info.Mode()&os.ModeCharDevice != 0)
}

func (p paint) wrap(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p paint) dim(text string) string   { return p.wrap("2", text) }
func (p paint) bold(text string) string  { return p.wrap("1", text) }
func (p paint) fault(text string) string { return p.wrap("1;31", text) }

func (p paint) fleet(name, text string) string {
	switch name {
	case "holdfast":
		return p.wrap("32", text)
	case "client-go":
		return p.wrap("33", text)
	default:
		return text
	}
}
