package options

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// Profile names three durations that go well together. Its zero value is
// DefaultProfile.
type Profile string

const (
	// DefaultProfile has what client-go recommends and the core components use:
	// 15s, 10s, 2s. A leader survives an outage of 8s; one that died is
	// replaced within 15s.
	DefaultProfile Profile = "default"
	// FastProfile is for work that must not be idle for long, near API servers
	// that are well: 3s, 2s, 500ms. A leader survives an outage of 1.5s; one that
	// died is replaced within 3s.
	FastProfile Profile = "fast"
	// CalmProfile is for work that may pause, over links or API servers that fail
	// for longer, and for many leases at once: 60s, 40s, 8s. A leader survives an
	// outage of 32s; one that died is replaced within a minute.
	CalmProfile Profile = "calm"
)

type durations struct{ lease, deadline, retry time.Duration }

var profiles = []struct {
	name Profile
	has  durations
}{
	{DefaultProfile, durations{15 * time.Second, 10 * time.Second, 2 * time.Second}},
	{FastProfile, durations{3 * time.Second, 2 * time.Second, 500 * time.Millisecond}},
	{CalmProfile, durations{60 * time.Second, 40 * time.Second, 8 * time.Second}},
}

// Profiles returns the names there are.
func Profiles() []Profile {
	var names []Profile
	for _, p := range profiles {
		names = append(names, p.name)
	}
	return names
}

func (p Profile) durations() (durations, bool) {
	if p == "" {
		p = DefaultProfile
	}
	for _, known := range profiles {
		if known.name == p {
			return known.has, true
		}
	}
	return durations{}, false
}

// Durations sets the three durations of config to the profile's. An unknown
// profile changes nothing and is an error that names those there are.
func (p Profile) Durations(config *leaderelection.LeaderElectionConfig) error {
	d, known := p.durations()
	if !known {
		return p.unknown()
	}
	config.LeaseDuration, config.RenewDeadline, config.RetryPeriod = d.lease, d.deadline, d.retry
	return nil
}

func (p Profile) unknown() error {
	var names []string
	for _, known := range Profiles() {
		names = append(names, string(known))
	}
	return fmt.Errorf("profile %q: must be one of %s", string(p), strings.Join(names, ", "))
}

// MarshalText implements encoding.TextMarshaler; it never fails.
func (p Profile) MarshalText() ([]byte, error) {
	if p == "" {
		p = DefaultProfile
	}
	return []byte(p), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. Its error names the
// profiles there are.
func (p *Profile) UnmarshalText(text []byte) error {
	read := Profile(text)
	if _, known := read.durations(); !known {
		return read.unknown()
	}
	*p = read
	return nil
}
