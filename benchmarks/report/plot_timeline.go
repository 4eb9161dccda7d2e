package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// board is who led when: one or more panels below each other, each with its
// own time axis, on which the fault is at zero.
type board struct {
	title  string
	notes  []string
	panels []panel
}

// panel is the timelines of several peers under one fault.
type panel struct {
	title string
	lines []Timeline
}

const (
	boardWidth  = 760
	laneHeight  = 15
	peerGap     = 23 // between the lanes of two peers, with room for words
	panelHead   = 40
	axisHeight  = 52 // with room below it
	boardLegend = 22
	before      = 0.12 // of the axis, which shows the leader before the fault
)

func (l Timeline) height() vg.Length { return vg.Length(max(1, len(l.Lanes)))*laneHeight + peerGap }

func (p panel) height() vg.Length {
	h := vg.Length(panelHead + axisHeight)
	for _, l := range p.lines {
		h += l.height()
	}
	return h
}

// draw returns the SVG.
func (b board) draw() ([]byte, error) {
	notes := wrap(boardWidth, b.notes...)
	height := vg.Length(54+boardLegend) + 13*vg.Length(len(notes))
	for _, p := range b.panels {
		height += p.height()
	}
	page := newSheet(boardWidth, height, b.title, notes...)
	boardKey(page.area)
	page.area.Max.Y -= boardLegend
	// All panels have their lanes begin at the same place.
	left := vg.Length(0)
	for _, p := range b.panels {
		for _, l := range p.lines {
			left = max(left, width(letters(10, black, true), l.Peer))
		}
	}
	for _, p := range b.panels {
		area := page.area
		area.Min.Y = area.Max.Y - p.height()
		p.draw(area, left+72)
		page.area.Max.Y -= p.height()
	}
	return page.bytes()
}

// boardKey explains the marks in one line.
func boardKey(c draw.Canvas) {
	style := aligned(letters(9.5, black, false), draw.XLeft, draw.YCenter)
	x, y := c.Min.X, c.Max.Y-8
	say := func(words string) {
		c.FillText(style, vg.Point{X: x, Y: y}, words)
		x += width(style, words) + 18
	}
	box(c, grey, x, y-4, x+20, y+4)
	x += 25
	say("leads")
	box(c, tint(grey, 0.6), x, y-4, x+20, y+4)
	x += 25
	say("told to stop, work still runs")
	box(c, tint(alarm, 0.8), x, y-4, x+20, y+4)
	x += 25
	say("nobody leads")
	box(c, alarm, x, y-2, x+20, y+2)
	x += 25
	say("two leaders")
	leaseMark(c, x+4, y+6, y-2)
	x += 14
	say("lease ends")
	cross(c, x+4, y)
	x += 14
	say("process ends")
	arrow(c, grey, x, y)
	x += 12
	say("leads on as the record ends")
}

func (p panel) draw(c draw.Canvas, left vg.Length) {
	c.FillText(aligned(letters(10.5, black, true), draw.XLeft, draw.YTop), vg.Point{X: c.Min.X, Y: c.Max.Y}, p.title)
	end := 1e-3
	for _, l := range p.lines {
		end = max(end, l.End)
	}
	axis := plot.New()
	styled(axis)
	axis.HideY()
	axis.X.Min, axis.X.Max = -end*before, end*1.02
	axis.X.Tick.Marker = faultTicks(end)
	axis.X.Label.Text = "seconds since the fault"
	axis.Add(timelines{lines: p.lines, left: left})
	area := draw.Crop(c, left, -8, 12, -panelHead)
	axis.Draw(area)
}

// faultTicks marks whole steps from the fault on.
func faultTicks(end float64) plot.ConstantTicks {
	step := math.Pow(10, math.Floor(math.Log10(end/4)))
	for _, m := range []float64{1, 2, 5, 10} {
		if step*m*8 >= end {
			step *= m
			break
		}
	}
	var ticks plot.ConstantTicks
	for i := 0; float64(i)*step <= end*1.02 && i < 50; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i) * step, Label: fmt.Sprintf("%.4g", float64(i)*step)})
	}
	return ticks
}

// timelines draws the lanes of a panel; it is plot.Plotter.
type timelines struct {
	lines []Timeline
	left  vg.Length
}

func (t timelines) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		c.StrokeLine2(draw.LineStyle{Color: pale, Width: 0.7}, x(tick.Value), c.Min.Y, x(tick.Value), c.Max.Y)
	}
	top := c.Max.Y
	for _, l := range t.lines {
		l.draw(c, x, p.X.Min, top, t.left)
		top -= l.height()
	}
	c.StrokeLine2(draw.LineStyle{Color: black, Width: 1.4}, x(0), c.Min.Y, x(0), c.Max.Y+4)
	c.FillText(aligned(letters(9.5, black, true), draw.XCenter, draw.YBottom), vg.Point{X: x(0), Y: c.Max.Y + 5}, "fault")
}

// draw draws one peer below top: its lanes, and what to see in them.
func (l Timeline) draw(c draw.Canvas, x func(float64) vg.Length, from float64, top, left vg.Length) {
	shade := lookOf(l.Peer).color
	lanes := top - peerGap + 6
	bottom := lanes - vg.Length(len(l.Lanes))*laneHeight
	clip := func(at float64) vg.Length { return x(max(at, from)) }

	for _, gap := range l.Gaps {
		if gap.To > from {
			box(c, tint(alarm, 0.8), clip(gap.From), bottom, clip(gap.To), lanes)
		}
	}
	name := aligned(letters(10, shade, true), draw.XLeft, draw.YCenter)
	c.FillText(name, vg.Point{X: c.Min.X - left, Y: (lanes + bottom) / 2}, l.Peer)
	for i, lane := range l.Lanes {
		y := lanes - (vg.Length(i)+0.5)*laneHeight
		c.FillText(aligned(letters(8.5, grey, false), draw.XRight, draw.YCenter), vg.Point{X: c.Min.X - 7, Y: y}, lane.Who)
		c.StrokeLine2(draw.LineStyle{Color: tint(grey, 0.6), Width: 0.5}, clip(from), y, x(l.End), y)
		for _, term := range lane.Terms {
			if term.To <= from {
				continue
			}
			box(c, shade, clip(term.From), y-5, clip(term.Stopping), y+5)
			box(c, tint(shade, 0.6), clip(term.Stopping), y-5, clip(term.To), y+5)
			if term.Open {
				arrow(c, shade, x(term.To), y)
			}
		}
		for _, at := range lane.Exits {
			if at >= from {
				cross(c, x(at), y)
			}
		}
	}
	for _, o := range l.Overlaps {
		if o.To > from {
			box(c, alarm, clip(o.From), bottom-2, max(clip(o.To), clip(o.From)+2), bottom+1)
		}
	}
	if l.LeaseEnd != nil {
		leaseMark(c, x(*l.LeaseEnd), lanes, bottom-2)
	}
	l.say(c, x, from, lanes, bottom)
}

// say writes what is to be seen: above the lanes how long nobody or two led,
// or that the lease was kept; beside the next leader how late it came.
func (l Timeline) say(c draw.Canvas, x func(float64) vg.Length, from float64, lanes, bottom vg.Length) {
	above := func(at float64, shade color.Color, words string) {
		style := letters(9, shade, true)
		left := min(x(max(at, from))+4, c.Max.X-width(style, words))
		c.FillText(style, vg.Point{X: left, Y: lanes + 2}, words)
	}
	two, nobody := longest(l.Overlaps, from), longest(l.Gaps, from)
	switch {
	case two.To > two.From:
		above(two.From, alarm, "two leaders for "+seconds(two.To-two.From))
	case nobody.To > nobody.From:
		words := "nobody leads for " + seconds(nobody.To-nobody.From)
		if l.Lost && l.Next == nil {
			words = "lease lost, " + words
		}
		if nobody.Open {
			words += ", until the record ends"
		}
		above(nobody.From, alarm, words)
	case l.Kept:
		above(0, lookOf(l.Peer).color, "lease kept")
	}
	if l.Takeover == nil {
		return
	}
	words := "leads " + seconds(*l.Takeover) + " after the lease ended"
	if *l.Takeover < 0 {
		words = "leads " + seconds(-*l.Takeover) + " before the lease ended"
	}
	style := aligned(letters(9, black, true), draw.XLeft, draw.YCenter)
	at := vg.Point{X: x(l.End) + 12, Y: bottom + laneHeight/2}
	if at.X+width(style, words) > c.Max.X {
		style.XAlign, at.X = draw.XRight, x(*l.Next)-5
		if mark := markOf(l.LeaseEnd, x); mark < at.X && mark > at.X-width(style, words)-3 {
			at.X = mark - 5
		}
	}
	c.FillText(style, at, words)
}

// markOf returns where the mark of a lease's end stands, left of everything if there is
// none.
func markOf(ends *float64, x func(float64) vg.Length) vg.Length {
	if ends == nil {
		return -1
	}
	return x(*ends)
}

// longest returns the longest span after a time, an empty one for none.
func longest(spans []Span, from float64) Span {
	var most Span
	for _, s := range spans {
		if s.To > from && s.To-s.From > most.To-most.From {
			most = s
		}
	}
	return most
}

// leaseMark is a dashed line that stands on a point; above it there are words.
func leaseMark(c draw.Canvas, x, top, bottom vg.Length) {
	c.StrokeLine2(draw.LineStyle{Color: black, Width: 1.2, Dashes: []vg.Length{2.5, 1.5}}, x, bottom, x, top)
	c.FillPolygon(black, []vg.Point{{X: x - 3, Y: bottom - 4}, {X: x + 3, Y: bottom - 4}, {X: x, Y: bottom + 1}})
}

// cross is where a process ends.
func cross(c draw.Canvas, x, y vg.Length) {
	for _, style := range []draw.LineStyle{{Color: white, Width: 3.6}, {Color: black, Width: 1.6}} {
		c.StrokeLine2(style, x-3.5, y-3.5, x+3.5, y+3.5)
		c.StrokeLine2(style, x-3.5, y+3.5, x+3.5, y-3.5)
	}
}

// arrow is where a record ends while work goes on.
func arrow(c draw.Canvas, fill color.Color, x, y vg.Length) {
	c.FillPolygon(fill, []vg.Point{{X: x, Y: y - 5}, {X: x, Y: y + 5}, {X: x + 6, Y: y}})
}
