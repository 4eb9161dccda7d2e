package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// letters returns a style for text: left of its point and on the line.
func letters(points vg.Length, c color.Color, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: points}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: c, Font: f, XAlign: draw.XLeft, YAlign: draw.YBottom, Handler: plot.DefaultTextHandler}
}

// aligned returns the style with another place relative to its point.
func aligned(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

const margin = 14 // points around every drawing

// sheet is an SVG drawing with a title; what is left of it is the area.
type sheet struct {
	svg  *vgsvg.Canvas
	area draw.Canvas
}

// newSheet begins a drawing on white, titled at the top left. Each note is a
// line in grey, below the title.
func newSheet(width, height vg.Length, title string, notes ...string) *sheet {
	svg := vgsvg.New(width, height)
	all := draw.New(svg)
	all.FillPolygon(white, corners(all.Rectangle))
	s := &sheet{svg: svg, area: draw.Crop(all, margin, -margin, margin, -margin)}
	bold := letters(13, black, true)
	s.area.FillText(aligned(bold, draw.XLeft, draw.YTop), vg.Point{X: s.area.Min.X, Y: s.area.Max.Y}, title)
	s.area.Max.Y -= 19
	for _, note := range notes {
		s.area.FillText(aligned(letters(9.5, grey, false), draw.XLeft, draw.YTop), vg.Point{X: s.area.Min.X, Y: s.area.Max.Y}, note)
		s.area.Max.Y -= 13
	}
	s.area.Max.Y -= 6
	return s
}

// wrap breaks notes into lines that fit a sheet of that width.
func wrap(sheetWidth vg.Length, notes ...string) []string {
	style := letters(9.5, grey, false)
	var lines []string
	for _, note := range notes {
		line := ""
		for _, word := range strings.Fields(note) {
			if line != "" && width(style, line+" "+word) > sheetWidth-2*margin {
				lines = append(lines, line)
				line = ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		lines = append(lines, line)
	}
	return lines
}

// bytes ends the drawing. Where the library's font is not installed, readers
// get the nearest that is, fitted to the room that the drawing gave it.
func (s *sheet) bytes() ([]byte, error) {
	var out bytes.Buffer
	if _, err := s.svg.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write a plot: %w", err)
	}
	svg := words.ReplaceAllFunc(out.Bytes(), func(element []byte) []byte {
		part := words.FindSubmatch(element)
		points, err := strconv.ParseFloat(string(part[3]), 64)
		if err != nil {
			return element
		}
		bold := bytes.Contains(part[2], []byte("font-weight:bold"))
		room := width(letters(vg.Length(points), black, bold), html.UnescapeString(string(part[4])))
		return fmt.Appendf(nil, `<text textLength="%.4g" lengthAdjust="spacingAndGlyphs"%s%s>%s</text>`, room.Points(), part[1], part[2], part[4])
	})
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// words is an element of text as vgsvg writes it: its place, its style with
// the size in it, and its content.
var words = regexp.MustCompile(`<text( x=[^>]*?)(\s+style="[^"]*font-size:([0-9.]+)px[^"]*")>([^<]+)</text>`)

// corners returns the corners of a rectangle.
func corners(r vg.Rectangle) []vg.Point {
	return []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}}
}

// box fills a rectangle.
func box(c draw.Canvas, fill color.Color, x0, y0, x1, y1 vg.Length) {
	c.FillPolygon(fill, corners(vg.Rectangle{Min: vg.Point{X: x0, Y: y0}, Max: vg.Point{X: x1, Y: y1}}))
}

// width returns how wide a text is.
func width(s text.Style, words string) vg.Length { return s.Rectangle(words).Size().X }

// styled gives a plot the look that all plots share.
func styled(p *plot.Plot) *plot.Plot {
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = letters(10, black, false).Font
		a.Label.TextStyle.Color = black
		a.Label.Padding = 4
		a.Tick.Label.Font = letters(9.5, black, false).Font
		a.Tick.Label.Color = black
		a.Tick.LineStyle.Color = grey
		a.LineStyle.Color = grey
		a.Padding = 0
	}
	return p
}

// decades returns the powers of ten around positive values, at least one
// decade apart.
func decades(low, high float64) (from, to float64) {
	// The small term keeps a power of ten from being rounded to the next.
	first, last := math.Floor(math.Log10(low)+1e-9), math.Ceil(math.Log10(high)-1e-9)
	if last <= first {
		last = first + 1
	}
	return math.Pow(10, first), math.Pow(10, last)
}

// logTicks marks every power of ten from low to high, named by format, and
// those between without a name.
func logTicks(low, high float64, format func(float64) string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for e := int(math.Round(math.Log10(low))); e <= int(math.Round(math.Log10(high))); e++ {
		power := math.Pow(10, float64(e))
		ticks = append(ticks, plot.Tick{Value: power, Label: format(power)})
		for m := 2.0; m < 10 && power*m < high; m++ {
			ticks = append(ticks, plot.Tick{Value: power * m})
		}
	}
	return ticks
}

// underLog is the room that a logarithmic axis needs for its name below its
// ticks.
const underLog = 17

// nameLog writes the name of a logarithmic axis below y. The library's own
// label of such an axis takes room as if it stood at the middle of the values,
// far to the right.
func nameLog(c draw.Canvas, y vg.Length, name string) {
	c.FillText(aligned(letters(10, black, false), draw.XCenter, draw.YTop), vg.Point{X: c.Center().X, Y: y}, name)
}
