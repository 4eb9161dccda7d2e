// Package death has the rules by which a process is proven dead, of which package witness
// makes two witnesses: what a process leaves of itself (ProcessTestimony,
// PodTestimony), which two places are one (Place.Is), and what in a Pod is a proof
// (ByPod). It does no I/O, so that a simulation goes by the same rules.
package death

import "fmt"

// Quote shows what may be of any length and content.
func Quote(text string) string {
	const most = 80
	if len(text) > most {
		return fmt.Sprintf("%q… (%d bytes)", text[:most], len(text))
	}
	return fmt.Sprintf("%q", text)
}
