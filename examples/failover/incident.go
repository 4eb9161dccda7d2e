package main

import (
	"errors"
	"fmt"
	"slices"
)

// mostSilenced leaves one endpoint of three that is well.
const mostSilenced = 2

// strikeEverything plays the incident that this library is for, rolls out, or mends
// all that is broken. The error wraps errUnknown where there is no such fault, errNotAgain
// where there is nobody to strike or nothing to mend.
func (l *live) strikeEverything(fault string) error {
	switch fault {
	case "incident":
		return l.incident()
	case "rollout":
		return l.rollout()
	case "mend":
		return l.mendAll()
	}
	return fmt.Errorf("fault %q of everything: %w, must be incident, rollout or mend", fault, errUnknown)
}

// incident cuts off the host of each leader, and silences what the standbys are
// connected to: client-go's first, and never more than leaves one endpoint well.
func (l *live) incident() error {
	leaders := l.stage.leaders()
	var hosts [][2]string
	for _, p := range leaders {
		if !l.isCut(p) {
			hosts = append(hosts, [2]string{p.fleet.name, p.slot()})
		}
	}
	if len(hosts) < len(fleets) {
		return fmt.Errorf("play the incident: %w: each fleet must have a leader on the network first", errNotAgain)
	}
	endpoints := l.endpointsOfStandbys(leaders)
	if len(endpoints) == 0 {
		return fmt.Errorf("play the incident: %w: no standby is connected", errNotAgain)
	}
	var errs []error
	for _, name := range endpoints {
		errs = append(errs, l.strikeEndpoint(name, "silence"))
	}
	for _, host := range hosts {
		errs = append(errs, l.strikeContender(host[0], host[1], "cut"))
	}
	return errors.Join(errs...)
}

func (l *live) isCut(p *process) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut[p.fleet.name+"/"+p.slot()]
}

// endpointsOfStandbys returns what is well and a standby is connected to, in the
// order in which it is to be silenced.
func (l *live) endpointsOfStandbys(leaders []*process) (names []string) {
	standbys := slices.DeleteFunc(l.stage.alive(), func(p *process) bool { return p.gone() || slices.Contains(leaders, p) })
	slices.SortStableFunc(standbys, func(a, b *process) int { return fleetOrder(b) - fleetOrder(a) })
	l.mu.Lock()
	defer l.mu.Unlock()
	faulty := 0
	for _, is := range l.faulty {
		if is {
			faulty++
		}
	}
	for _, p := range standbys {
		for _, e := range p.host.Endpoints() {
			if !l.faulty[e.Name()] && !slices.Contains(names, e.Name()) && faulty+len(names) < mostSilenced {
				names = append(names, e.Name())
			}
		}
	}
	return names
}

// fleetOrder is the place of a process's fleet among the fleets.
func fleetOrder(p *process) int {
	return slices.IndexFunc(fleets, func(f fleet) bool { return f.name == p.fleet.name })
}

// mendAll mends every endpoint and every host that needs it.
func (l *live) mendAll() error {
	var endpoints []string
	var hosts [][2]string
	l.mu.Lock()
	for _, e := range l.stage.endpoints {
		if l.faulty[e.Name()] {
			endpoints = append(endpoints, e.Name())
		}
	}
	for _, f := range fleets {
		for _, slot := range liveSlots {
			if l.cut[f.name+"/"+slot] {
				hosts = append(hosts, [2]string{f.name, slot})
			}
		}
	}
	l.mu.Unlock()
	if len(endpoints)+len(hosts) == 0 {
		return fmt.Errorf("mend everything: %w: nothing is broken", errNotAgain)
	}
	var errs []error
	for _, name := range endpoints {
		errs = append(errs, l.strikeEndpoint(name, "mend"))
	}
	for _, host := range hosts {
		errs = append(errs, l.strikeContender(host[0], host[1], "mend"))
	}
	return errors.Join(errs...)
}
