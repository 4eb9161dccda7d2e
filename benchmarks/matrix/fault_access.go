package matrix

// The bearer tokens of the columns.
const (
	oldToken = "old-token"
	newToken = "new-token"
)

// accesses are names and tokens that change.
func accesses() []Fault {
	return []Fault{
		{
			Name: "unauthorized", Text: "all connections end, and every server answers 401 to the old token; the token file has a new one", by: withTokens,
			Network: NetworkCondition{Answered: true, Everyone: true},
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
			Name: "dns", Text: "the server goes silent, and its name in DNS now leads to the others", by: byNames,
			Network: NetworkCondition{Silent: true},
			inflict: func(p *play) error {
				if err := p.lose(p.both(0)...); err != nil {
					return err
				}
				p.stage.names.set(p.stage.servers[1].Addr(), p.stage.servers[2].Addr())
				return nil
			},
		},
		oneDeadAddress("names-one-dead", "the server goes silent, and its name in DNS has that address and, after it, another server's", byNames),
		oneDeadAddress("names-one-dead-own-dial", "the same for clients with a Dial function of the user's own, that of a net.Dialer", byNamesOwnDial),
	}
}

// oneDeadAddress is a name of two addresses, the first of which is dead.
func oneDeadAddress(name, text string, by road) Fault {
	return Fault{
		Name: name, Text: text, by: by,
		Network: NetworkCondition{Victims: 1, Turns: true, New: NoSYN, Silent: true},
		inflict: func(p *play) error {
			if err := p.lose(p.both(0)...); err != nil {
				return err
			}
			p.stage.names.set(p.stage.servers[0].Addr(), p.stage.servers[1].Addr())
			return nil
		},
	}
}
