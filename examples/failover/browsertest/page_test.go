package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestALeaderOnASilentEndpointKeepsItsLeaseOnlyHere(t *testing.T) {
	address := startProgram(t)
	p := open(t, "http://"+address+"/")

	// Both fleets have a leader, both standbys are connected to something.
	p.until(20*time.Second, "two leaders and two standbys",
		`document.querySelectorAll('.contender[data-state="leads"]').length === 2 &&
		 document.querySelectorAll('.contender[data-state="stands by"]:not([data-links=""])').length === 2`)
	p.shoot("1-well")

	// Silence what the leaders are connected to, and watch for more than a lease.
	silent := p.endpointsOfLeaders()
	require.NotEmpty(t, silent)
	require.Less(t, len(silent), 3, "one endpoint has to stay well: %v", silent)
	name := p.text(`document.querySelector('[data-contender^="holdfast/"][data-state="leads"]').dataset.name`)
	for _, endpoint := range silent {
		p.press("silence endpoint " + endpoint)
	}
	for _, endpoint := range silent {
		p.until(5*time.Second, "endpoint "+endpoint+" to be shown silent", fmt.Sprintf(
			`document.querySelector('[data-endpoint="%s"]').dataset.fault === "silent"`, endpoint))
	}
	p.until(15*time.Second, "client-go's leader to lose its lease", `+document.querySelector('[data-fleet="client-go"]').dataset.lost >= 1`)
	p.shoot("2-lost")
	p.until(15*time.Second, "client-go to have a leader again", `document.querySelector('[data-fleet="client-go"]').dataset.leaders !== ""`)
	p.shoot("3-kept")

	assert.Equal(t, "0", p.text(`document.querySelector('[data-fleet="holdfast"]').dataset.lost`), "the lease was kept")
	assert.Equal(t, "0", p.text(`document.querySelector('[data-fleet="holdfast"]').dataset.leaderless`))
	assert.Equal(t, name, p.text(`document.querySelector('[data-contender^="holdfast/"][data-state="leads"]').dataset.name`), "by the same process")
	assert.NotEqual(t, "0", p.text(`document.querySelector('[data-fleet="client-go"]').dataset.leaderless`))

	// What is silent cannot be frozen, and the button that says so keeps the focus.
	assert.Equal(t, "true", p.text(fmt.Sprintf(`document.querySelector('[aria-label="freeze endpoint %s"]').getAttribute("aria-disabled")`, silent[0])))
	assert.Equal(t, "silence endpoint "+silent[len(silent)-1], p.text(`document.activeElement.getAttribute("aria-label")`))

	for _, endpoint := range silent {
		p.press("mend endpoint " + endpoint)
		p.until(5*time.Second, "endpoint "+endpoint+" to be shown well", fmt.Sprintf(
			`document.querySelector('[data-endpoint="%s"]').dataset.fault === ""`, endpoint))
	}

	// A host that is cut off leads no more, here too; a frozen endpoint looks as it is.
	p.press("freeze endpoint c")
	p.press("cut the network of holdfast " + slot(name))
	p.until(15*time.Second, "the other one to lead", fmt.Sprintf(
		`(() => { const leaders = document.querySelector('[data-fleet="holdfast"]').dataset.leaders;
		  return leaders !== "" && !leaders.startsWith(%q); })()`, slot(name)))
	p.shoot("4-cut")
	p.dark()
	p.shoot("5-dark")
	p.narrow()
	p.until(5*time.Second, "the timeline to fit a narrow window", `document.getElementById("time").getAttribute("viewBox").split(" ")[2] < 420`)
	p.shoot("6-narrow")
	assert.Equal(t, "", p.text(`document.getElementById("refused").textContent`), "no button was refused")
	assert.Equal(t, "false", p.text(`String(document.documentElement.scrollWidth > innerWidth)`), "nothing is wider than a narrow window")
}

func TestTheIncidentLeavesClientGoWithoutALeaderAndUsWithOne(t *testing.T) {
	address := startProgram(t)
	p := open(t, "http://"+address+"/")
	p.until(20*time.Second, "the incident to be ready to be played", `document.getElementById("incident").getAttribute("aria-disabled") === "false"`)
	assert.Equal(t, "true", p.text(`document.getElementById("mend").getAttribute("aria-disabled")`), "nothing is broken")
	p.toggle("slow")
	p.until(5*time.Second, "the address to be slow", `document.getElementById("slow").checked &&
		document.getElementById("slow-text").textContent.includes("for 40 s")`)
	p.enter("incident")
	p.until(5*time.Second, "a silent endpoint that is named still",
		`document.querySelectorAll('.endpoint[data-fault="silent"][data-named="true"]').length > 0 &&
		 document.querySelectorAll('.contender[data-cut="true"]').length === 2`)
	p.until(20*time.Second, "a new leader here and none there",
		`document.querySelectorAll('[data-contender^="holdfast/"][data-state="leads"][data-cut="false"]').length === 1 &&
		 document.querySelector('[data-fleet="client-go"]').dataset.leaders === "" &&
		 +document.querySelector('[data-fleet="client-go"]').dataset.lost === 1`)
	p.shoot("7-incident")
	ours := p.number(`document.querySelector('[data-fleet="holdfast"]').dataset.leaderless`)
	p.until(30*time.Second, "client-go to be without a leader ten times as long as we were, and a second longer",
		fmt.Sprintf(`document.querySelector('[data-fleet="client-go"]').dataset.leaders === "" &&
		 +document.querySelector('[data-fleet="client-go"]').dataset.leaderless > Math.max(%g * 10, %g + 1000)`, ours, ours))
	p.shoot("8-waiting")
	p.enter("mend")
	p.until(30*time.Second, "two leaders again and nothing broken",
		`document.querySelectorAll('.contender[data-state="leads"]').length === 2 &&
		 document.querySelectorAll('.endpoint:not([data-fault=""]), .contender[data-cut="true"]').length === 0`)
	p.toggle("slow")
	p.until(5*time.Second, "the address to be prompt", `!document.getElementById("slow").checked`)

	// One that stands by is preferred, and is handed the lease; client-go has no such button.
	p.until(20*time.Second, "a standby", `document.querySelector('[data-contender^="holdfast/"][data-state="stands by"]:not([data-links=""])') !== null`)
	standby := p.text(`document.querySelector('[data-contender^="holdfast/"][data-state="stands by"]').dataset.contender`)
	lost := p.text(`document.querySelector('[data-fleet="holdfast"]').dataset.lost`)
	p.press("prefer " + strings.ReplaceAll(standby, "/", " "))
	p.until(20*time.Second, "the one that is preferred to lead", fmt.Sprintf(`document.querySelector('[data-contender=%q]').dataset.state === "leads"`, standby))
	assert.Equal(t, lost, p.text(`document.querySelector('[data-fleet="holdfast"]').dataset.lost`), "no lease was lost by that")
	assert.Equal(t, "null", p.text(`String(document.querySelector('[aria-label^="prefer client-go"]'))`))
	assert.Equal(t, "", p.text(`document.getElementById("refused").textContent`), "no button was refused")
	p.shoot("9-mended")
}

// The durations are those of most controllers: a machine that is slow for a moment is
// slow for a small part of them.
func TestARolloutHasOneChangeOfLeaderHereAndOneOrTwoThere(t *testing.T) {
	address := startProgram(t, "-lease", "15s", "-renew", "10s", "-retry", "2s")
	p := open(t, "http://"+address+"/")
	p.until(20*time.Second, "the rollout to be ready to be played", `document.getElementById("rollout").getAttribute("aria-disabled") === "false"`)
	const free = `document.querySelectorAll('.contender[data-state="free"]').length`
	assert.Equal(t, "2", p.text(`String(`+free+`)`))
	assert.Equal(t, "true", p.text(`document.querySelector('[aria-label="kill holdfast three"]').getAttribute("aria-disabled")`), "nobody is there")
	p.shoot("a-before")

	changes := ""
	for try := 0; try < 3 && changes != "1"; try++ { // a machine that stands still for a second costs a change
		p.enter("rollout")
		p.until(20*time.Second, "a third contender of ours", `document.querySelectorAll('[data-contender^="holdfast/"][data-state="free"]').length === 0`)
		assert.Equal(t, "true", p.text(`document.getElementById("rollout").getAttribute("aria-disabled")`), "one rollout at a time")
		p.shoot("b-surge")
		p.until(40*time.Second, "both fleets to be rolled out", `document.querySelectorAll('[data-fleet][data-rollout="over"]').length === 2`)
		p.until(5*time.Second, "a free place in each", free+` === 2`)
		p.shoot("c-rolled-out")
		changes = p.text(`document.querySelector('[data-fleet="holdfast"]').dataset.changes`)
	}
	assert.Equal(t, "1", changes)
	assert.Equal(t, "0", p.text(`document.querySelector('[data-fleet="holdfast"]').dataset.lost`))
	assert.Contains(t, []string{"1", "2"}, p.text(`document.querySelector('[data-fleet="client-go"]').dataset.changes`), "chance decides")
	assert.Equal(t, "", p.text(`document.getElementById("refused").textContent`), "no button was refused")
	p.dark()
	p.shoot("d-dark")
	p.narrow()
	p.until(5*time.Second, "the timeline to fit a narrow window", `document.getElementById("time").getAttribute("viewBox").split(" ")[2] < 420`)
	p.shoot("e-narrow")
	assert.Equal(t, "false", p.text(`String(document.documentElement.scrollWidth > innerWidth)`), "nothing is wider than a narrow window")
}

// slot takes the number of the restart off a name.
func slot(name string) string {
	before, _, _ := strings.Cut(name, "-")
	return before
}

// page is the page in a browser.
type page struct {
	t   *testing.T
	ctx context.Context
}

// endpointsOfLeaders returns the endpoints that a leader is connected to.
func (p *page) endpointsOfLeaders() []string {
	return strings.Fields(p.text(
		`[...new Set([...document.querySelectorAll('.contender[data-state="leads"]')].flatMap(c => c.dataset.links.split(" ")))].sort().join(" ")`))
}

// press moves the focus to the button of that label and presses Enter, as one
// does without a mouse.
func (p *page) press(label string) {
	p.t.Helper()
	button := chromedp.CSS(fmt.Sprintf(`button[aria-label=%q]`, label))
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.Focus(button), chromedp.SendKeys(button, "\r")), "pressing %q", label)
}

// enter presses what has that id, and toggle switches it, by the keyboard.
func (p *page) enter(id string)  { p.t.Helper(); p.key(id, "\r") }
func (p *page) toggle(id string) { p.t.Helper(); p.key(id, " ") }

func (p *page) key(id, key string) {
	p.t.Helper()
	control := chromedp.CSS("#" + id)
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.Focus(control), chromedp.SendKeys(control, key)), "pressing %q", id)
}

// number evaluates an expression that is the text of a number.
func (p *page) number(expression string) float64 {
	p.t.Helper()
	number, err := strconv.ParseFloat(p.text(expression), 64)
	require.NoError(p.t, err, "%s", expression)
	return number
}

// text evaluates an expression that is a string.
func (p *page) text(expression string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	require.NoError(p.t, err, "%s", expression)
	return text
}

// until waits until the page shows something.
func (p *page) until(bound time.Duration, what, condition string) {
	p.t.Helper()
	for start := time.Now(); time.Since(start) < bound; {
		yes, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](condition))
		require.NoError(p.t, err, "%s", condition)
		if yes {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.shoot("failed")
	require.FailNow(p.t, "the page does not show it", "waited %v for %s; it shows: %s", bound, what, p.text(`document.body.innerText`))
}

func (p *page) dark() {
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: "dark"}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	require.NoError(p.t, err)
}

func (p *page) narrow() {
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.EmulateViewport(420, 900)))
}

// shoot keeps a picture in the directory PAGE_SHOTS, if that is set.
func (p *page) shoot(name string) {
	p.t.Helper()
	directory := os.Getenv("PAGE_SHOTS")
	if directory == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(directory, name+".png"), picture, 0o644))
}
