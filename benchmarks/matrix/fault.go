package matrix

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/matrix/front"
)

// Fault is one way to die.
type Fault struct {
	// Name is what Find knows it by.
	Name string
	// Text says what happens, in one sentence.
	Text string
	// Weather is what it leaves of the network.
	Weather Weather

	// by is how the columns reach the API.
	by road
	// harms says that an API server itself is harmed, and has to recover.
	harms bool
	// inflict does it to the victim.
	inflict func(p *play) error
	// toEach, where set, is done to each column at a moment of its own instead,
	// with the death of a candidate's leader.
	toEach func(p *play, c *contestant) error
}

// road is how columns reach the API.
type road int

const (
	servers road = iota // the virtual IP names API servers
	fronts              // the virtual IP names fronts
	tokens              // the same, by bearer token instead of certificate
	names               // a name in DNS instead of the virtual IP
)

const (
	// unready is how long the virtual IP names a server that accepts and does not
	// answer, before the readiness probe of its node has it removed.
	unready = 4 * time.Second
	// late is by how much an overloaded server's answers are late.
	late = 3 * time.Second
	// refusing is how long servers refuse that get well by themselves, retryAfter
	// what they ask to wait.
	refusing   = 3 * time.Second
	retryAfter = time.Second
)

// Faults returns every fault, in the order of the table.
func Faults() []Fault {
	silent := Weather{Victims: 1, New: NoSYN, Silent: true}
	return []Fault{
		{
			Name: "silence", Text: "the server goes silent while connections are idle; the virtual IP drops it at once",
			Weather: Weather{Silent: true},
			inflict: func(p *play) error {
				if err := p.lose(p.both(0)...); err != nil {
					return err
				}
				return p.name(others(p.stage.servers, 1)...)
			},
		},
		{
			Name: "silence-request", Text: "silence with a request in flight: it has arrived, and no byte of its answer ever does", by: fronts,
			Weather: silent,
			toEach: func(p *play, c *contestant) error {
				if c.Role != Leader && c.Role != Writer { // their request in flight is the watch
					return p.silence(c)
				}
				p.stage.fronts[0].Trap(c.host.Addr(), front.Trap{At: front.AtRequest, Do: func() { p.try(p.silence(c)) }})
				return nil
			},
		},
		{
			Name: "silence-body", Text: "silence in the middle of an answer's body, that of a watch included", by: fronts,
			Weather: silent,
			toEach: func(p *play, c *contestant) error {
				p.stage.fronts[0].Trap(c.host.Addr(), front.Trap{At: front.MidBody, Do: func() { p.try(p.silence(c)) }})
				return nil
			},
		},
		{
			Name: "loss-to-server", Text: "packets to the server are lost, those from it arrive",
			Weather: silent,
			inflict: func(p *play) error { return p.lose(p.toVictim(0)...) },
		},
		{
			Name: "loss-from-server", Text: "packets from the server are lost, those to it arrive",
			Weather: silent,
			inflict: func(p *play) error { return p.lose(p.fromVictim(0)...) },
		},
		{
			Name: "syn-unanswered", Text: "the server's connections end, and SYNs to it are not answered", by: fronts,
			Weather: Weather{Victims: 1, New: NoSYN},
			inflict: func(p *play) error {
				if err := p.lose(lab.Loss{To: p.stage.frontAddrs[0].Addr(), Flags: lab.SYN}); err != nil {
					return err
				}
				p.stage.fronts[0].HangUp(false)
				return nil
			},
		},
		{
			Name: "syn-refused", Text: "the server's connections end, and new ones are refused", by: fronts,
			Weather: Weather{Victims: 1, New: Refusal},
			inflict: func(p *play) error {
				err := p.stage.fronts[0].Refuse()
				p.stage.fronts[0].HangUp(false)
				return err
			},
		},
		{
			Name: "tls-unanswered", Text: fmt.Sprintf("the server's connections end, and new ones are accepted without an answer to their TLS handshake; the virtual IP drops it after %v", unready), by: fronts,
			Weather: Weather{Victims: 1, New: NoHandshake, Named: unready},
			inflict: func(p *play) error {
				p.stage.fronts[0].Set(front.Trouble{NoHandshake: true})
				p.stage.fronts[0].HangUp(false)
				p.dropLater(unready, p.stage.frontAddrs)
				return nil
			},
		},
		{
			Name: "frozen", Text: fmt.Sprintf("the server's process stands still, its kernel acknowledges and accepts; the virtual IP drops it after %v", unready), harms: true,
			Weather: Weather{Victims: 1, New: NoHandshake, Silent: true, Named: unready},
			inflict: func(p *play) error {
				p.dropLater(unready, p.stage.servers)
				return p.stage.lab.APIServers()[0].Freeze()
			},
		},
		{
			Name: "killed", Text: "the server's process is killed", harms: true,
			Weather: Weather{Victims: 1, New: Refusal},
			inflict: func(p *play) error { return p.stage.lab.APIServers()[0].Kill() },
		},
		{
			Name: "reset", Text: "every connection to the server is reset; new ones are served", by: fronts,
			inflict: func(p *play) error {
				p.stage.fronts[0].HangUp(true)
				return nil
			},
		},
		{
			Name: "reset-dropped", Text: "the server's process is killed, and a firewall drops its FINs and RSTs", harms: true,
			Weather: silent,
			inflict: func(p *play) error {
				if err := p.lose(lab.Loss{From: p.stage.servers[0].Addr(), Flags: lab.RST | lab.FIN}); err != nil {
					return err
				}
				return p.stage.lab.APIServers()[0].Kill()
			},
		},
		{
			Name: "one-dead", Text: "the server goes silent, and the virtual IP goes on naming it: one of three is dead",
			Weather: silent,
			inflict: func(p *play) error { return p.lose(p.both(0)...) },
		},
		{
			Name: "two-dead", Text: "the server and another go silent, and the virtual IP goes on naming them: two of three are dead",
			Weather: Weather{Victims: 2, New: NoSYN, Silent: true},
			inflict: func(p *play) error { return p.lose(append(p.both(0), p.both(1)...)...) },
		},
		{
			Name: "overloaded", Text: fmt.Sprintf("the server is overloaded: every answer is %v late", late), by: fronts,
			Weather: Weather{Victims: 1, Late: late},
			inflict: func(p *play) error {
				p.stage.fronts[0].Set(front.Trouble{Late: late})
				return nil
			},
		},
		{
			Name: "too-many-requests", Text: fmt.Sprintf("the server's connections end, and for %v it answers every request with 429 and Retry-After: 1", refusing), by: fronts,
			Weather: Weather{Victims: 1, Answered: true, Lasts: refusing, RetryAfter: retryAfter},
			inflict: func(p *play) error { return p.refuse(front.Trouble{Status: 429, RetryAfter: retryAfter}) },
		},
		{
			Name: "unauthorized", Text: "all connections end, and every server answers 401 to the old token; the token file has a new one", by: tokens,
			Weather: Weather{Answered: true, Everyone: true},
			inflict: func(p *play) error {
				if err := p.stage.setToken(newToken); err != nil {
					return err
				}
				for _, f := range p.stage.fronts {
					f.SetTokens(map[string]string{newToken: user})
					f.HangUp(false)
				}
				return nil
			},
		},
		{
			Name: "unavailable", Text: fmt.Sprintf("the load balancer's connections end, and for %v it answers every request with 503", refusing), by: fronts,
			Weather: Weather{Victims: 1, Answered: true, Lasts: refusing},
			inflict: func(p *play) error { return p.refuse(front.Trouble{Status: 503}) },
		},
		{
			Name: "dns", Text: "the server goes silent, and its name in DNS now leads to the others", by: names,
			Weather: Weather{Silent: true},
			inflict: func(p *play) error {
				if err := p.lose(p.both(0)...); err != nil {
					return err
				}
				p.stage.names.set(p.stage.servers[1].Addr(), p.stage.servers[2].Addr())
				return nil
			},
		},
		{
			Name: "conntrack", Text: "connection tracking is flushed on the clients' hosts, and the virtual IP no longer names the server: packets of its connections go to servers that do not know them",
			Weather: Weather{Silent: true},
			inflict: func(p *play) error {
				if err := p.name(others(p.stage.servers, 1)...); err != nil {
					return err
				}
				for _, c := range p.contestants {
					if err := c.host.ForgetConnections(); err != nil {
						return err
					}
				}
				return nil
			},
		},
	}
}

// The bearer tokens of the columns.
const (
	oldToken = "old-token"
	newToken = "new-token"
)

// Find returns the faults of these names, in the order of the table; none
// named means all. A name that is unknown is an error that says which there are.
func Find(wanted []string) ([]Fault, error) {
	var found []Fault
	var known []string
	left := map[string]bool{}
	for _, name := range wanted {
		left[name] = true
	}
	for _, f := range Faults() {
		known = append(known, f.Name)
		if left[f.Name] || len(wanted) == 0 {
			found = append(found, f)
			delete(left, f.Name)
		}
	}
	for name := range left {
		return nil, fmt.Errorf("fault %q: must be one of %s", name, strings.Join(known, ", "))
	}
	return found, nil
}
