package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// growth is how figures grow with a number of leases or contenders: a panel
// for each figure, side by side, all with one key.
type growth struct {
	title  string
	notes  []string
	axis   string // of what there are so many
	panels []growthPanel
}

// growthPanel is one figure.
type growthPanel struct {
	figure, title string
	series        []series
	// bound is a target's, at the scale boundAt; zero for none.
	bound, boundAt float64
	// unit is what the axis counts in: 1024 where it shows KiB.
	unit float64
}

// series is one peer's medians by scale.
type series struct {
	peer   string
	points []scaled
}

// scaled is a median with its spread.
type scaled struct {
	scale            float64
	low, median, top float64
}

// ofMainTiming returns the groups of the timing that most of them have, of
// several the longest lease, and a sentence that names it: a curve through
// figures of different timings would show nothing.
func ofMainTiming(all []group) ([]group, string) {
	timings := distinct(all, func(g group) string { return g.timing })
	slices.SortFunc(timings, compareTimings)
	var main []group
	for _, timing := range timings {
		var these []group
		for _, g := range all {
			if g.timing == timing {
				these = append(these, g)
			}
		}
		if len(these) > len(main) {
			main = these
		}
	}
	if len(timings) < 2 {
		return main, ""
	}
	return main, " Leases of " + timingWords(main[0].timing) + "; the table has others too."
}

// seriesOf returns a figure's series of the peers that have it, in unit.
func seriesOf(all []group, figure string, unit float64) []series {
	var found []series
	for _, peer := range distinct(all, func(g group) string { return g.peer }) {
		s := series{peer: peer}
		byScale := map[int][]float64{}
		for _, g := range all {
			if g.peer == peer && g.scale > 0 {
				byScale[g.scale] = append(byScale[g.scale], g.values(figure)...)
			}
		}
		for scale, values := range byScale {
			if of := stat.Of(values); of.N > 0 {
				s.points = append(s.points, scaled{float64(scale), of.Min / unit, of.Median / unit, of.Max / unit})
			}
		}
		if len(s.points) > 0 {
			slices.SortFunc(s.points, func(a, b scaled) int { return int(a.scale - b.scale) })
			found = append(found, s)
		}
	}
	return found
}

const (
	growthWidth  = 860
	growthHeight = 330
	growthKeyRow = 17
)

// draw returns the SVG.
func (g growth) draw() ([]byte, error) {
	notes := wrap(growthWidth, g.notes...)
	page := newSheet(growthWidth, growthHeight+13*vg.Length(len(notes)), g.title, notes...)
	page.area.Max.Y -= g.key(page.area)
	each := (page.area.Max.X - page.area.Min.X) / vg.Length(len(g.panels))
	for i, p := range g.panels {
		area := page.area
		area.Min.X += each * vg.Length(i)
		area.Max.X = area.Min.X + each - 14
		p.draw(area, g.axis)
	}
	return page.bytes()
}

// key names the peers in rows above the panels and returns its height.
func (g growth) key(c draw.Canvas) vg.Length {
	var peers []string
	for _, p := range g.panels {
		for _, s := range p.series {
			if !slices.Contains(peers, s.peer) {
				peers = append(peers, s.peer)
			}
		}
	}
	slices.SortFunc(peers, comparePeers)
	style := aligned(letters(10, black, false), draw.XLeft, draw.YCenter)
	x, y := c.Min.X, c.Max.Y-growthKeyRow/2
	for _, peer := range peers {
		need := 30 + width(style, peer) + 18
		if x+need > c.Max.X {
			x, y = c.Min.X, y-growthKeyRow
		}
		l := lookOf(peer)
		c.StrokeLine2(draw.LineStyle{Color: l.color, Width: 1.6}, x, y, x+24, y)
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: l.color, Radius: 3.2, Shape: l.shape}, vg.Point{X: x + 12, Y: y})
		c.FillText(style, vg.Point{X: x + 30, Y: y}, peer)
		x += need
	}
	return c.Max.Y - y + growthKeyRow/2 + 6
}

func (g growthPanel) draw(c draw.Canvas, axis string) {
	c.FillText(aligned(letters(10.5, black, true), draw.XLeft, draw.YTop), vg.Point{X: c.Min.X, Y: c.Max.Y}, g.title)
	c.Max.Y -= 16
	if g.bound > 0 {
		words := fmt.Sprintf("dashed: target with %.0f, ≤ %s", g.boundAt, value(g.figure, g.bound*g.unit))
		c.FillText(aligned(letters(9, grey, false), draw.XLeft, draw.YTop), vg.Point{X: c.Min.X, Y: c.Max.Y}, words)
	}
	c.Max.Y -= 18
	p := styled(plot.New())
	low, high := g.bound, g.bound
	left, right := math.Inf(1), 0.0
	for _, s := range g.series {
		for _, at := range s.points {
			left, right = min(left, at.scale), max(right, at.scale)
			for _, v := range []float64{at.low, at.top} {
				if v > 0 {
					low, high = min(low, v), max(high, v)
					if low == 0 {
						low = v
					}
				}
			}
		}
	}
	if low <= 0 {
		low, high = 1, 10 // nothing but zeros
	}
	low, high = decades(low, high)
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Min, p.X.Max = left/1.4, right*1.4
	p.Y.Min, p.Y.Max = low, high
	p.X.Tick.Marker = scaleTicks(g.series)
	p.Y.Tick.Marker = logTicks(low, high, func(v float64) string { return axisValue(v) })
	p.Add(g)
	p.Draw(draw.Crop(c, 0, 0, underLog, 0))
	nameLog(c, c.Min.Y+underLog-2, axis)
}

// axisValue names a power of ten.
func axisValue(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}

// scaleTicks marks the scales that were measured.
func scaleTicks(all []series) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	var seen []float64
	for _, s := range all {
		for _, at := range s.points {
			if !slices.Contains(seen, at.scale) {
				seen = append(seen, at.scale)
				ticks = append(ticks, plot.Tick{Value: at.scale, Label: fmt.Sprintf("%.0f", at.scale)})
			}
		}
	}
	return ticks
}

// Plot draws the lines; it is plot.Plotter. What is zero lies on the lower
// edge, where the logarithm has no place for it.
func (g growthPanel) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if !t.IsMinor() {
			c.StrokeLine2(draw.LineStyle{Color: pale, Width: 0.7}, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
		}
	}
	if g.bound > 0 {
		c.StrokeLine2(draw.LineStyle{Color: black, Width: 1, Dashes: []vg.Length{4, 3}}, c.Min.X, y(g.bound), c.Max.X, y(g.bound))
	}
	at := func(v float64) vg.Length { return y(max(v, p.Y.Min)) }
	for _, s := range g.series {
		l := lookOf(s.peer)
		var line []vg.Point
		for _, point := range s.points {
			line = append(line, vg.Point{X: x(point.scale), Y: at(point.median)})
		}
		c.StrokeLines(draw.LineStyle{Color: l.color, Width: 1.6}, line)
		for i, point := range s.points {
			if point.top > point.low {
				c.StrokeLine2(draw.LineStyle{Color: l.color, Width: 1}, line[i].X, at(point.low), line[i].X, at(point.top))
			}
			c.DrawGlyphNoClip(draw.GlyphStyle{Color: l.color, Radius: 3.4, Shape: l.shape}, line[i])
		}
	}
}
