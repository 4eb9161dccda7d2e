package witness

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/holdfast-go/holdfast/internal/death"
)

// testimonies are those of several witnesses, by the witness's name. As text they
// are a JSON object, whose keys are in order.
type testimonies map[string]string

// maxTestimonies is how long the text of testimonies may be, in bytes: it stands in
// an annotation, which is written with each renewal.
const maxTestimonies = 8 * MaxTestimony

// String leaves out, from the last name on, what does not fit into maxTestimonies.
func (t testimonies) String() string {
	if len(t) == 0 {
		return ""
	}
	text, err := json.Marshal(map[string]string(t))
	if err != nil {
		return "" // there is no map of strings that cannot be written
	}
	if len(text) > maxTestimonies {
		fewer := maps.Clone(t)
		delete(fewer, slices.Max(slices.Collect(maps.Keys(t))))
		return fewer.String()
	}
	return string(text)
}

func parseTestimonies(text string) (testimonies, error) {
	if len(text) > maxTestimonies {
		return nil, noProof("the testimonies are %d bytes long, and may be %d", len(text), maxTestimonies)
	}
	var t testimonies
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, noProof("the testimonies %s are no JSON object of strings: %w", death.Quote(text), err)
	}
	return t, nil
}
