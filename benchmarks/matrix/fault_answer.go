package matrix

import (
	"fmt"
	"net/http"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/matrix/front"
)

const (
	// late is by how much an overloaded server's answers are late.
	late = 3 * time.Second
	// refusing is how long servers refuse that get well by themselves, retryAfter
	// what they ask to wait.
	refusing   = 3 * time.Second
	retryAfter = time.Second
	// unfinished is for how long answers do not come to their end: longer than
	// any lock's lease and the bound of its takeover together, at the short timing.
	unfinished = 6 * time.Second
	// The paces of what does not end.
	tricklePace, informPace, goAwayPace = time.Second, 50 * time.Millisecond, 50 * time.Millisecond
)

// answers are what a server, or a load balancer before it, does to its answers.
// One that is new is an Answer in a file of package front, and a line here.
func answers() []Fault {
	refuses := NetworkCondition{Victims: 1, Answered: true, Lasts: refusing}
	asks := refuses
	asks.RetryAfter = retryAfter
	hangs := NetworkCondition{Victims: 1, Late: unfinished, Lasts: unfinished}
	return []Fault{
		{
			Name: "overloaded", Text: fmt.Sprintf("the server is overloaded: every answer is %v late", late), by: toFronts,
			Network: NetworkCondition{Victims: 1, Late: late},
			inflict: func(p *play) error {
				p.stage.fronts[0].Set(front.Fault{Late: late})
				return nil
			},
		},
		answering("too-many-requests", "it answers every request with 429 and Retry-After: 1", asks, front.Fault{Answer: front.Refuse(http.StatusTooManyRequests, retryAfter)}),
		answering("unavailable", "it answers every request with 503", refuses, front.Fault{Answer: front.Refuse(http.StatusServiceUnavailable, 0)}),
		answering("refusal-endless", "it answers every request with 500, Retry-After: 1 and a body that does not end", asks, front.Fault{Answer: front.RefuseWithoutEnd(http.StatusInternalServerError, retryAfter)}),
		answering("redirect-loop", "it redirects every request to where it was sent", refuses, front.Fault{Answer: front.Redirect}),
		answering("reset-storm", "it resets every request's stream over HTTP/2, its connection over HTTP/1.1", refuses, front.Fault{Answer: front.Reset}),
		answering("goaway-storm", "every load balancer answers every HTTP/2 request with GOAWAY, and ends its connection",
			NetworkCondition{Everyone: true, Answered: true, Lasts: refusing, HTTP2: true}, front.Fault{Answer: front.GoAway(goAwayPace)}),
		answering("body-known", "its answers go silent after the headers and half of a body of known length", hangs, front.Fault{Answer: front.SilentBody(front.Known)}),
		answering("body-unknown", "its answers go silent after the headers and half of a body of unknown length", hangs, front.Fault{Answer: front.SilentBody(front.Unknown)}),
		answering("body-compressed", "its answers go silent after the headers and half of a compressed body", hangs, front.Fault{Answer: front.SilentBody(front.Compressed)}),
		answering("trickle", fmt.Sprintf("the bodies of its answers come a byte every %v", tricklePace), hangs, front.Fault{Answer: front.Trickle(tricklePace)}),
		answering("informational", fmt.Sprintf("its answers are 103 Early Hints every %v, and no final one", informPace), hangs, front.Fault{Answer: front.Inform(informPace)}),
		answering("window-stalled", "it reads no request's body, and the flow-control window of HTTP/2 stays shut", hangs, front.Fault{Answer: front.Unread, NoWindow: true}),
	}
}

// answering is fault of the first load balancer's answers, or of all, for as
// long as that lasts.
func answering(name, text string, w NetworkCondition, t front.Fault) Fault {
	return Fault{
		Name: name, Text: fmt.Sprintf("the load balancer's connections end, and for %v %s", w.Lasts, text), by: toFronts, Network: w,
		inflict: func(p *play) error { return p.answer(t) },
	}
}
