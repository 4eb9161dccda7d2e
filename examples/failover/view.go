package main

import "time"

// What ails an endpoint or a host. The page knows these words.
const (
	faultSilent = "silent"
	faultFrozen = "frozen"
	faultCut    = "cut off"
)

// view is what the page draws, as JSON. Times are milliseconds since 1970 by the
// clock of this process; a stretch that lasts has no end.
type view struct {
	Now       int64          `json:"now"`
	Since     int64          `json:"since"`  // the first event; now, if there was none
	Window    int64          `json:"window"` // milliseconds
	Lease     int64          `json:"lease"`  // milliseconds
	Timing    string         `json:"timing"`
	Slow      bool           `json:"slow"` // the address is slow to notice a fault
	Lag       int64          `json:"lag"`  // milliseconds for which it then names what is faulty
	Endpoints []endpointView `json:"endpoints"`
	Fleets    []fleetView    `json:"fleets"`
	Log       []noteView     `json:"log"` // the latest first
}

type stretchView struct {
	From int64  `json:"from"`
	To   int64  `json:"to,omitempty"`
	What string `json:"what,omitempty"`
}

type endpointView struct {
	Name   string        `json:"name"`
	Fault  string        `json:"fault"` // empty: it is well
	Faults []stretchView `json:"faults"`
	Named  []stretchView `json:"named"` // by the address
}

type fleetView struct {
	Name       string          `json:"name"`
	Leaders    []string        `json:"leaders"`
	Holder     string          `json:"holder"`
	LeaseEnd   int64           `json:"leaseEnd,omitempty"`
	Lost       int             `json:"lost"`
	Leaderless int64           `json:"leaderless"` // milliseconds in all, until now
	Summary    string          `json:"summary"`
	Rollout    *rolloutView    `json:"rollout,omitempty"` // the latest, or none
	Gaps       []stretchView   `json:"gaps"`
	Overlaps   []stretchView   `json:"overlaps"`
	Contenders []contenderView `json:"contenders"`
}

type rolloutView struct {
	Lasts      bool  `json:"lasts"`
	Changes    int   `json:"changes"`    // of leader
	Leaderless int64 `json:"leaderless"` // milliseconds
}

type contenderView struct {
	Slot     string `json:"slot"`
	Name     string `json:"name"`
	Revision int    `json:"revision"` // zero: nobody has been there yet
	// State is one of leads, stands by, down, free: nobody is to be there.
	State string `json:"state"`
	// Ready is that it has led, or seen another lead.
	Ready bool `json:"ready"`
	Cut   bool `json:"cut"`
	// Preferred is that it should lead; MayBePreferred is that there is such a thing.
	Preferred      bool           `json:"preferred"`
	MayBePreferred bool           `json:"mayBePreferred"`
	Links          map[string]int `json:"links"` // connections by endpoint
	Linked         []stretchView  `json:"linked"`
	Runs           []stretchView  `json:"runs"`
	Terms          []stretchView  `json:"terms"`
	Cuts           []stretchView  `json:"cuts"`
	Renewals       []int64        `json:"renewals"`
}

type noteView struct {
	At    int64  `json:"at"`
	Fleet string `json:"fleet"`
	Text  string `json:"text"`
	Grave bool   `json:"grave"`
}

// view says what is to be seen at the moment now.
func (b *board) view(now time.Time) view {
	v := view{
		Now: now.UnixMilli(), Since: now.UnixMilli(), Window: b.window.Milliseconds(), Lease: b.timing.lease.Milliseconds(),
		Timing: b.timing.String(), Slow: b.slow, Lag: addressLag.Milliseconds(),
		Endpoints: []endpointView{}, Fleets: []fleetView{}, Log: []noteView{},
	}
	if !b.first.IsZero() {
		v.Since = b.first.UnixMilli()
	}
	for _, e := range b.endpoints {
		ev := endpointView{Name: e.name, Faults: stretchViews(e.faults), Named: stretchViews(e.named)}
		if lasts(e.faults) {
			ev.Fault = e.faults[len(e.faults)-1].what
		}
		v.Endpoints = append(v.Endpoints, ev)
	}
	for _, f := range b.fleets {
		v.Fleets = append(v.Fleets, f.view(now))
	}
	for i := len(b.log) - 1; i >= 0; i-- {
		n := b.log[i]
		v.Log = append(v.Log, noteView{At: n.at.UnixMilli(), Fleet: n.fleet, Text: n.text, Grave: n.grave})
	}
	return v
}

func (f *fleetState) view(now time.Time) fleetView {
	v := fleetView{
		Name: f.name, Leaders: []string{}, Holder: f.holder, Lost: f.lost,
		Gaps: stretchViews(f.gaps), Overlaps: stretchViews(f.overlaps), Contenders: []contenderView{},
	}
	if !f.leaseEnd.IsZero() {
		v.LeaseEnd = f.leaseEnd.UnixMilli()
	}
	for _, c := range f.contenders {
		cv := c.view()
		cv.Preferred, cv.MayBePreferred = f.preferred == c.slot, f.name == holdfastFleet
		v.Contenders = append(v.Contenders, cv)
		if lasts(c.terms) {
			v.Leaders = append(v.Leaders, c.name)
		}
	}
	v.Leaderless = f.leaderlessAt(now).Milliseconds()
	if r := f.rollout; r != nil {
		v.Rollout = &rolloutView{Lasts: !r.over, Changes: r.changes, Leaderless: f.leaderlessIn(r, now).Milliseconds()}
	}
	switch {
	case len(v.Leaders) > 0:
		v.Summary = list(v.Leaders) + " leads"
	case f.led:
		v.Summary = "nobody leads"
		if lasts(f.gaps) {
			v.Summary += " for " + seconds(now.Sub(f.gaps[len(f.gaps)-1].from))
		}
	default:
		v.Summary = "electing its first leader"
	}
	return v
}

func (c *contenderState) view() contenderView {
	v := contenderView{
		Slot: c.slot, Name: c.name, Revision: c.revision, State: "down", Ready: c.running() && c.ready, Cut: lasts(c.cuts), Links: map[string]int{},
		Linked: stretchViews(c.links), Runs: stretchViews(c.runs), Terms: stretchViews(c.terms), Cuts: stretchViews(c.cuts),
		Renewals: []int64{},
	}
	switch {
	case lasts(c.terms):
		v.State = "leads"
	case c.running():
		v.State = "stands by"
	case c.free:
		v.State = "free"
	}
	for _, endpoint := range c.counts {
		v.Links[endpoint]++
	}
	for _, at := range c.renewals {
		v.Renewals = append(v.Renewals, at.UnixMilli())
	}
	return v
}

func stretchViews(all []stretch) []stretchView {
	views := []stretchView{}
	for _, s := range all {
		v := stretchView{From: s.from.UnixMilli(), What: s.what}
		if !s.to.IsZero() {
			v.To = s.to.UnixMilli()
		}
		views = append(views, v)
	}
	return views
}
