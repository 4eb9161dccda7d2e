package contender

import (
	"flag"
	"fmt"
	"strings"
	"time"
)

// Timing holds the three durations of an election.
type Timing struct {
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
}

// String is "15s/10s/2s".
func (t Timing) String() string {
	return fmt.Sprintf("%v/%v/%v", t.LeaseDuration, t.RenewDeadline, t.RetryPeriod)
}

// MarshalText writes what String says.
func (t Timing) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads it. Its error names what cannot be used.
func (t *Timing) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTiming(string(text))
	return err
}

// ParseTiming reads what String writes. Its error names what cannot be used.
func ParseTiming(text string) (t Timing, err error) {
	words := strings.Split(text, "/")
	if len(words) != 3 {
		return t, fmt.Errorf("timing %q: must be lease/renew deadline/retry period, such as 15s/10s/2s", text)
	}
	for i, to := range []*time.Duration{&t.LeaseDuration, &t.RenewDeadline, &t.RetryPeriod} {
		if *to, err = time.ParseDuration(words[i]); err != nil {
			return t, fmt.Errorf("timing %q: %w", text, err)
		}
	}
	if err := t.Validate(); err != nil {
		return t, fmt.Errorf("timing %q: %w", text, err)
	}
	return t, nil
}

// Validate says which duration no elector can use.
func (t Timing) Validate() error {
	switch {
	case t.RetryPeriod <= 0:
		return fmt.Errorf("retry period %v: must be positive", t.RetryPeriod)
	case t.RenewDeadline <= t.RetryPeriod:
		return fmt.Errorf("renew deadline %v: must be greater than the retry period, %v", t.RenewDeadline, t.RetryPeriod)
	case t.LeaseDuration <= t.RenewDeadline:
		return fmt.Errorf("lease duration %v: must be greater than the renew deadline, %v", t.LeaseDuration, t.RenewDeadline)
	}
	return nil
}

// Flags has flags of these names set the durations. What they are now is the default.
// Whether they fit each other Validate says once the flags are parsed.
func (t *Timing) Flags(flags *flag.FlagSet, lease, renew, retry string) {
	flags.DurationVar(&t.LeaseDuration, lease, t.LeaseDuration, "lease duration")
	flags.DurationVar(&t.RenewDeadline, renew, t.RenewDeadline, "renew deadline")
	flags.DurationVar(&t.RetryPeriod, retry, t.RetryPeriod, "retry period")
}
