package program

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// NewFlags returns the flags of the program of that name; usage goes to usage.
func NewFlags(name string, usage io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(usage)
	return flags
}

// Parse reads a command line of flags alone. For -h its error is flag.ErrHelp.
func Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	return nil
}

// Flag adds a flag that read reads. Its default, which read must accept, is value.
func Flag[T any](flags *flag.FlagSet, to *T, name, value, usage string, read func(string) (T, error)) {
	v := &flagValue[T]{to: to, read: read}
	if err := v.Set(value); err != nil {
		panic(fmt.Sprintf("default of -%s: %v", name, err))
	}
	flags.Var(v, name, usage)
}

type flagValue[T any] struct {
	to   *T
	text string
	read func(string) (T, error)
}

// String implements flag.Value.
func (v *flagValue[T]) String() string { return v.text }

// Set implements flag.Value.
func (v *flagValue[T]) Set(text string) error {
	t, err := v.read(text)
	if err == nil {
		*v.to, v.text = t, text
	}
	return err
}

// Int adds a flag for a number of at least least.
func Int(flags *flag.FlagSet, to *int, name string, value, least int, usage string) {
	Flag(flags, to, name, strconv.Itoa(value), usage, Number(least))
}

// Duration adds a flag for a duration of at least least.
func Duration(flags *flag.FlagSet, to *time.Duration, name string, value, least time.Duration, usage string) {
	Flag(flags, to, name, value.String(), usage, func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		switch {
		case err != nil || d >= least:
			return d, err
		case least == 0:
			return d, fmt.Errorf("must not be negative")
		case least == 1:
			return d, fmt.Errorf("must be positive")
		}
		return d, fmt.Errorf("must be at least %v", least)
	})
}

// List reads words with commas between them, each by read, and each once. Nothing is no
// word.
func List[T comparable](read func(string) (T, error)) func(string) ([]T, error) {
	return func(text string) (list []T, err error) {
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
			t, err := read(word)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
		return list, nil
	}
}

// Some is List, of one word at least.
func Some[T comparable](read func(string) (T, error)) func(string) ([]T, error) {
	return func(text string) ([]T, error) {
		list, err := List(read)(text)
		if err == nil && len(list) == 0 {
			_, err = read("") // which says what there is
		}
		return list, err
	}
}

// Among reads one of these words.
func Among[T ~string](known ...T) func(string) (T, error) {
	return func(text string) (T, error) {
		if !slices.Contains(known, T(text)) {
			return "", fmt.Errorf("%q must be of %v", text, known)
		}
		return T(text), nil
	}
}

// Number reads a number of at least least.
func Number(least int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err == nil && n < least {
			err = fmt.Errorf("%d: must be at least %d", n, least)
		}
		return n, err
	}
}
