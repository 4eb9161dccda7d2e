package matrix

import (
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/matrix/front"
)

// silences are packets that vanish.
func silences() []Fault {
	silent := NetworkCondition{Victims: 1, New: NoSYN, Silent: true}
	return []Fault{
		{
			Name: "silence", Text: "the server goes silent while connections are idle; the virtual IP drops it at once", by: toServers,
			Network: NetworkCondition{Silent: true},
			inflict: func(p *play) error {
				if err := p.lose(p.both(0)...); err != nil {
					return err
				}
				return p.name(others(p.stage.servers, 1)...)
			},
		},
		{
			Name: "silence-request", Text: "silence with a request in flight: it has arrived, and no byte of its answer ever does", by: toFronts,
			Network: silent,
			toEach: func(p *play, c *contestant) error {
				if !c.Role.leads() && c.Role != Writer { // their request in flight is the watch
					return p.silence(c)
				}
				p.stage.fronts[0].Trap(c.host.Addr(), front.Trap{At: front.AtRequest, Do: func() { p.Fail(p.silence(c)) }})
				return nil
			},
		},
		{
			Name: "silence-body", Text: "silence in the middle of an answer's body, that of a watch included", by: toFronts,
			Network: silent,
			toEach: func(p *play, c *contestant) error {
				p.stage.fronts[0].Trap(c.host.Addr(), front.Trap{At: front.MidBody, Do: func() { p.Fail(p.silence(c)) }})
				return nil
			},
		},
		{
			Name: "loss-to-server", Text: "packets to the server are lost, those from it arrive", by: toServers,
			Network: silent,
			inflict: func(p *play) error { return p.lose(p.toVictim(0)...) },
		},
		{
			Name: "loss-from-server", Text: "packets from the server are lost, those to it arrive", by: toServers,
			Network: silent,
			inflict: func(p *play) error { return p.lose(p.fromVictim(0)...) },
		},
		{
			Name: "syn-unanswered", Text: "the server's connections end, and SYNs to it are not answered", by: toFronts,
			Network: NetworkCondition{Victims: 1, New: NoSYN},
			inflict: func(p *play) error {
				if err := p.lose(lab.Loss{To: p.stage.frontAddrs[0].Addr(), Flags: lab.SYN}); err != nil {
					return err
				}
				p.stage.fronts[0].HangUp(false)
				return nil
			},
		},
		{
			Name: "one-dead", Text: "the server goes silent, and the virtual IP goes on naming it: one of three is dead", by: toServers,
			Network: silent,
			inflict: func(p *play) error { return p.lose(p.both(0)...) },
		},
		{
			Name: "two-dead", Text: "the server and another go silent, and the virtual IP goes on naming them: two of three are dead", by: toServers,
			Network: NetworkCondition{Victims: 2, New: NoSYN, Silent: true},
			inflict: func(p *play) error { return p.lose(append(p.both(0), p.both(1)...)...) },
		},
	}
}
