package options

import (
	"fmt"
	"strconv"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// priorityText is a priority as it stands in a flag: a number, or nothing for none.
type priorityText struct{ number **int }

// MarshalText implements encoding.TextMarshaler; it never fails.
func (p priorityText) MarshalText() ([]byte, error) {
	if p.number == nil || *p.number == nil {
		return nil, nil
	}
	return strconv.AppendInt(nil, int64(**p.number), 10), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p priorityText) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p.number = nil
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err == nil {
		err = validPriority(&n)
	}
	if err != nil {
		return fmt.Errorf("%q: must be a number from 0 to %d", text, leaderelection.MaxPriority)
	}
	*p.number = &n
	return nil
}

// validPriority returns an error for a priority that is set and that there is not.
func validPriority(p *int) error {
	if p != nil && (*p < 0 || *p > leaderelection.MaxPriority) {
		return fmt.Errorf("priority %d: must be from 0 to %d", *p, leaderelection.MaxPriority)
	}
	return nil
}
