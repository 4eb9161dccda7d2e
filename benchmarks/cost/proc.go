package cost

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseResident returns VmRSS of /proc/PID/status, in bytes.
func parseResident(status string) (uint64, error) {
	for line := range strings.Lines(status) {
		value, found := strings.CutPrefix(line, "VmRSS:")
		if !found {
			continue
		}
		fields := strings.Fields(value)
		if len(fields) != 2 || fields[1] != "kB" {
			return 0, fmt.Errorf("VmRSS is %q, not a number of kB", strings.TrimSpace(value))
		}
		kilobytes, err := strconv.ParseUint(fields[0], 10, 54)
		return kilobytes << 10, err
	}
	return 0, errors.New("no line VmRSS")
}

// parseDevices returns the bytes received and sent by all network devices of
// /proc/PID/net/dev but loopback.
func parseDevices(dev string) (received, sent uint64, err error) {
	const columns, receivedAt, sentAt = 16, 0, 8
	devices := 0
	for line := range strings.Lines(dev) {
		name, counters, found := strings.Cut(line, ":")
		if !found {
			continue // a heading
		}
		fields := strings.Fields(counters)
		if len(fields) < columns {
			return 0, 0, fmt.Errorf("device %s has %d counters, not %d", strings.TrimSpace(name), len(fields), columns)
		}
		devices++
		if strings.TrimSpace(name) == "lo" {
			continue
		}
		r, errReceived := strconv.ParseUint(fields[receivedAt], 10, 64)
		s, errSent := strconv.ParseUint(fields[sentAt], 10, 64)
		if err := errors.Join(errReceived, errSent); err != nil {
			return 0, 0, fmt.Errorf("device %s: %w", strings.TrimSpace(name), err)
		}
		received, sent = received+r, sent+s
	}
	if devices == 0 {
		return 0, 0, errors.New("no network device")
	}
	return received, sent, nil
}

// parseTCP returns ActiveOpens and CurrEstab of /proc/PID/net/snmp.
func parseTCP(snmp string) (opened, established uint64, err error) {
	var names []string
	for line := range strings.Lines(snmp) {
		values, isTCP := strings.CutPrefix(line, "Tcp:")
		switch {
		case !isTCP:
		case names == nil:
			names = strings.Fields(values)
		default:
			return pick(names, strings.Fields(values))
		}
	}
	return 0, 0, errors.New("no two lines Tcp")
}

func pick(names, values []string) (opened, established uint64, err error) {
	found := 0
	for i, name := range names {
		var into *uint64
		switch name {
		case "ActiveOpens":
			into = &opened
		case "CurrEstab":
			into = &established
		default:
			continue
		}
		if i >= len(values) {
			return 0, 0, fmt.Errorf("counters of TCP: %s has no value", name)
		}
		if *into, err = strconv.ParseUint(values[i], 10, 64); err != nil {
			return 0, 0, fmt.Errorf("counters of TCP: %s: %w", name, err)
		}
		found++
	}
	if found != 2 {
		return 0, 0, errors.New("counters of TCP: no ActiveOpens or no CurrEstab")
	}
	return opened, established, nil
}

// processors is the time that all processors of the machine have spent, in
// ticks.
type processors struct{ idle, all uint64 }

// parseProcessors reads the first line of /proc/stat.
func parseProcessors(stat string) (processors, error) {
	line, _, _ := strings.Cut(stat, "\n")
	values, found := strings.CutPrefix(line, "cpu ")
	fields := strings.Fields(values)
	const least, idleAt, waitAt, guestAt = 8, 3, 4, 8
	if !found || len(fields) < least {
		return processors{}, fmt.Errorf("the first line is %q, not the processors' times", line)
	}
	var p processors
	for i, field := range fields[:min(len(fields), guestAt)] { // guests are counted under user already
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return processors{}, fmt.Errorf("the processors' times %q: %w", line, err)
		}
		p.all += ticks
		if i == idleAt || i == waitAt {
			p.idle += ticks
		}
	}
	return p, nil
}

// busySince returns the share of the time since before in which processors
// were not idle, 0 to 1.
func (p processors) busySince(before processors) float64 {
	if p.all <= before.all || p.idle < before.idle {
		return 0
	}
	return 1 - float64(p.idle-before.idle)/float64(p.all-before.all)
}
