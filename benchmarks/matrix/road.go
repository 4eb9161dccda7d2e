package matrix

import "net/netip"

// road is how columns reach the API.
type road struct {
	kubeconfig func(*Stage) string
	// backends are what the virtual IP names.
	backends func(*Stage) []netip.AddrPort
	// names is that the kubeconfig has a name which the stage's nameserver knows.
	names bool
	// ownDial is that the user has a Dial function in the configuration.
	ownDial bool
	// tokens is that users show a bearer token instead of a certificate.
	tokens bool
}

func serverAddrs(s *Stage) []netip.AddrPort { return s.servers }
func frontAddrs(s *Stage) []netip.AddrPort  { return s.frontAddrs }
func proxyAddrs(s *Stage) []netip.AddrPort  { return s.proxyAddrs }

func byVIP(s *Stage) string  { return s.byVIP }
func byName(s *Stage) string { return s.byName }

// The roads.
var (
	// toServers: the virtual IP names API servers.
	toServers = road{kubeconfig: byVIP, backends: serverAddrs}
	// toFronts: it names fronts.
	toFronts = road{kubeconfig: byVIP, backends: frontAddrs}
	// withTokens: the same, by bearer token.
	withTokens = road{kubeconfig: func(s *Stage) string { return s.byToken }, backends: frontAddrs, tokens: true}
	// byNames: a name in DNS instead of the virtual IP.
	byNames = road{kubeconfig: byName, backends: serverAddrs, names: true}
	// byNamesOwnDial: the same, by a Dial function of the user's own.
	byNamesOwnDial = road{kubeconfig: byName, backends: serverAddrs, names: true, ownDial: true}
	// byProxies: the virtual IP names proxies of HTTP; bySOCKS: of SOCKS5.
	byProxies = road{kubeconfig: func(s *Stage) string { return s.byProxy }, backends: proxyAddrs}
	bySOCKS   = road{kubeconfig: func(s *Stage) string { return s.bySOCKS }, backends: proxyAddrs}
)
