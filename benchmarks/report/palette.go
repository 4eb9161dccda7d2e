package report

import (
	"hash/fnv"
	"image/color"

	"gonum.org/v1/plot/vg/draw"
)

// look is how a peer is drawn: by colour and by shape, so that neither is
// needed alone.
type look struct {
	color color.RGBA
	shape draw.GlyphDrawer
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

// The colours of Okabe and Ito ("Color Universal Design", 2008), which people
// with any colour vision can tell apart; the yellow is darker here, since it
// stands on white.
var (
	black      = rgb(0x222222)
	grey       = rgb(0x777777)
	pale       = rgb(0xe4e4e4)
	white      = rgb(0xffffff)
	vermillion = rgb(0xd55e00)
	alarm      = rgb(0xb3261e)
)

var looks = map[string]look{
	"client-go":                        {vermillion, draw.CircleGlyph{}},
	"client-go-http1":                  {rgb(0xe69f00), draw.SquareGlyph{}},
	"client-go-pings-2s":               {rgb(0xcc79a7), draw.TriangleGlyph{}},
	"controller-runtime":               {rgb(0x000000), draw.PlusGlyph{}},
	"controller-runtime-holdfast-lock": {rgb(0x8f7f00), draw.CrossGlyph{}},
	"etcd":                             {rgb(0x009e73), draw.PyramidGlyph{}},
	"holdfast-fresh":                   {rgb(0x56b4e9), draw.BoxGlyph{}},
	"holdfast":                         {rgb(0x0072b2), draw.RingGlyph{}},
}

// lookOf returns the look of a peer; one that is not known has a shade of grey
// of its own.
func lookOf(peer string) look {
	if l, ok := looks[peer]; ok {
		return l
	}
	h := fnv.New32a()
	h.Write([]byte(peer))
	shade := uint8(80 + h.Sum32()%96)
	return look{color.RGBA{R: shade, G: shade, B: shade, A: 255}, draw.CircleGlyph{}}
}

// tint mixes a colour with white; 0 is the colour, 1 is white.
func tint(c color.RGBA, toWhite float64) color.RGBA {
	mix := func(v uint8) uint8 { return uint8(float64(v) + (255-float64(v))*toWhite) }
	return color.RGBA{R: mix(c.R), G: mix(c.G), B: mix(c.B), A: 255}
}
