package matrix

import (
	"fmt"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// processes are what becomes of an API server's process.
func processes() []Fault {
	return []Fault{
		{
			Name: "frozen", Text: fmt.Sprintf("the server's process stands still, its kernel acknowledges and accepts; the virtual IP drops it after %v", unready), by: toServers, harms: true,
			Network: NetworkCondition{Victims: 1, New: NoHandshake, Silent: true, Named: unready},
			inflict: func(p *play) error {
				p.dropLater(unready, p.stage.servers)
				return p.stage.lab.APIServers()[0].Freeze()
			},
		},
		{
			Name: "killed", Text: "the server's process is killed", by: toServers, harms: true,
			Network: NetworkCondition{Victims: 1, New: Refusal},
			inflict: func(p *play) error { return p.stage.lab.APIServers()[0].Kill() },
		},
		{
			Name: "reset-dropped", Text: "the server's process is killed, and a firewall drops its FINs and RSTs", by: toServers, harms: true,
			Network: NetworkCondition{Victims: 1, New: NoSYN, Silent: true},
			inflict: func(p *play) error {
				if err := p.lose(lab.Loss{From: p.stage.servers[0].Addr(), Flags: lab.RST | lab.FIN}); err != nil {
					return err
				}
				return p.stage.lab.APIServers()[0].Kill()
			},
		},
	}
}
