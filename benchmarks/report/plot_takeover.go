package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// strip is the distribution of one figure: a row for each peer, a dot for each
// sample, a bar at the median.
type strip struct {
	title, note, axis string
	rows              []stripRow
}

// stripRow is one peer's samples in seconds, how many have no such figure, and
// whether there can be none.
type stripRow struct {
	peer         string
	values       []float64
	missing      int
	inapplicable bool
}

// Rows are as high as two lines of text. Names stand left of them, figures
// right.
const (
	stripRowHeight = 34
	stripRight     = 168
	stripWidth     = 760
	// stripFloor is where the logarithmic axis begins: the laboratory cannot tell
	// shorter times from none.
	stripFloor = 1e-3
)

// stripName is how names of peers are written.
var stripName = aligned(letters(10, black, false), draw.XRight, draw.YCenter)

// draw returns the SVG. Samples below the axis, such as a takeover before the
// lease had ended, are open triangles at its left end.
func (s strip) draw() ([]byte, error) {
	low, high := stripFloor, 2*stripFloor
	below := false
	for _, r := range s.rows {
		for _, v := range r.values {
			high = max(high, v)
			below = below || v < stripFloor
		}
	}
	_, high = decades(low, high)
	notes := []string{s.note}
	if below {
		notes = append(notes, "An open triangle at the left end is a sample below "+seconds(stripFloor)+", negative ones included.")
	}
	notes = wrap(stripWidth, notes...)
	height := vg.Length(len(s.rows))*stripRowHeight + 90 + 13*vg.Length(len(notes))
	page := newSheet(stripWidth, height, s.title, notes...)

	p := styled(plot.New())
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max = low, high
	p.X.Tick.Marker = logTicks(low, high, seconds)
	p.Y.Min, p.Y.Max = -0.5, float64(len(s.rows))-0.5
	p.HideY()
	p.Add(s)
	left := vg.Length(0)
	for _, r := range s.rows {
		left = max(left, width(stripName, r.peer))
	}
	p.Draw(draw.Crop(page.area, left+8, -stripRight, underLog, 0))
	return page.bytes()
}

// place is where row i is on the axis: the first on top.
func (s strip) place(i int) float64 { return float64(len(s.rows) - 1 - i) }

// Plot draws the rows; it is plot.Plotter.
func (s strip) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	nameLog(c, c.Min.Y-21, s.axis)
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if !t.IsMinor() {
			c.StrokeLine2(draw.LineStyle{Color: pale, Width: 0.8}, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
		}
	}
	for i, r := range s.rows {
		at, l := y(s.place(i)), lookOf(r.peer)
		c.FillText(stripName, vg.Point{X: c.Min.X - 8, Y: at}, r.peer)
		if i > 0 {
			edge := at + stripRowHeight/2
			c.StrokeLine2(draw.LineStyle{Color: pale, Width: 0.5}, c.Min.X, edge, c.Max.X+stripRight-14, edge)
		}
		for k, v := range r.values {
			point := vg.Point{X: x(max(v, stripFloor)), Y: at + scatter(k)}
			if v < stripFloor {
				openTriangle(c, l, point)
				continue
			}
			c.DrawGlyphNoClip(draw.GlyphStyle{Color: tint(l.color, 0.25), Radius: 2.6, Shape: draw.CircleGlyph{}}, point)
		}
		s.label(c, x, at, r)
	}
}

// label draws the median's bar and, at the right, the row's figures.
func (s strip) label(c draw.Canvas, x func(float64) vg.Length, at vg.Length, r stripRow) {
	left, middle := c.Max.X+12, at
	of := stat.Of(r.values)
	if of.N == 0 {
		style := aligned(letters(9.5, grey, false), draw.XLeft, draw.YCenter)
		words := fmt.Sprintf("not measured (%d without a figure)", r.missing)
		if r.inapplicable {
			words = "not applicable"
		}
		c.FillText(style, vg.Point{X: left, Y: middle}, words)
		return
	}
	median := x(max(of.Median, stripFloor))
	c.StrokeLine2(draw.LineStyle{Color: black, Width: 2}, median, at-11, median, at+11)
	second := fmt.Sprintf("n=%d, %s … %s", of.N, seconds(of.Min), seconds(of.Max))
	if r.missing > 0 {
		second += fmt.Sprintf(", %d without", r.missing)
	}
	c.FillText(letters(10.5, black, true), vg.Point{X: left, Y: middle + 1}, "median "+seconds(of.Median))
	c.FillText(aligned(letters(8.5, grey, false), draw.XLeft, draw.YTop), vg.Point{X: left, Y: middle - 1}, second)
}

// scatter moves dot k off the middle of its row, always in the same way, so
// that equal values do not hide each other: van der Corput's sequence.
func scatter(k int) vg.Length {
	v, base := 0.0, 0.5
	for k++; k > 0; k >>= 1 {
		v += float64(k&1) * base
		base /= 2
	}
	return vg.Length((v - 0.5) * stripRowHeight * 0.5)
}

func openTriangle(c draw.Canvas, l look, at vg.Point) {
	const r = 3.2
	var path []vg.Point
	for _, angle := range []float64{math.Pi, math.Pi / 3, -math.Pi / 3, math.Pi} {
		path = append(path, vg.Point{X: at.X + vg.Length(r*math.Cos(angle)), Y: at.Y + vg.Length(r*math.Sin(angle))})
	}
	c.StrokeLines(draw.LineStyle{Color: l.color, Width: 1}, path)
}
