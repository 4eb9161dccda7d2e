package matrix

import (
	"fmt"

	"github.com/holdfast-go/holdfast/benchmarks/matrix/front"
)

// connections are connections that end, or do not come about.
func connections() []Fault {
	return []Fault{
		{
			Name: "syn-refused", Text: "the server's connections end, and new ones are refused", by: toFronts,
			Network: NetworkCondition{Victims: 1, New: Refusal},
			inflict: func(p *play) error {
				err := p.stage.fronts[0].Refuse()
				p.stage.fronts[0].HangUp(false)
				return err
			},
		},
		{
			Name: "tls-unanswered", Text: fmt.Sprintf("the server's connections end, and new ones are accepted without an answer to their TLS handshake; the virtual IP drops it after %v", unready), by: toFronts,
			Network: NetworkCondition{Victims: 1, New: NoHandshake, Named: unready},
			inflict: func(p *play) error {
				p.stage.fronts[0].Set(front.Fault{NoHandshake: true})
				p.stage.fronts[0].HangUp(false)
				p.dropLater(unready, p.stage.frontAddrs)
				return nil
			},
		},
		{
			Name: "reset", Text: "every connection to the server is reset; new ones are served", by: toFronts,
			inflict: func(p *play) error {
				p.stage.fronts[0].HangUp(true)
				return nil
			},
		},
		{
			Name: "conntrack", Text: "connection tracking is flushed on the clients' hosts, and the virtual IP no longer names the server: packets of its connections go to servers that do not know them", by: toServers,
			Network: NetworkCondition{Silent: true},
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
		throughSilentProxy("proxy-http", "HTTP", byProxies),
		throughSilentProxy("proxy-socks5", "SOCKS5", bySOCKS),
	}
}

// throughSilentProxy is a proxy on the way to the API that is silent.
func throughSilentProxy(name, kind string, by road) Fault {
	return Fault{
		Name: name, Text: fmt.Sprintf("the connections through one of three %s proxies end, and it accepts new ones and answers nothing; the virtual IP drops it after %v", kind, unready), by: by,
		Network: NetworkCondition{Victims: 1, New: NoHandshake, Named: unready},
		inflict: func(p *play) error {
			p.stage.proxies[0].Silence()
			p.dropLater(unready, p.stage.proxyAddrs)
			return nil
		},
	}
}
