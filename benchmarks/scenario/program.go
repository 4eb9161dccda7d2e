package scenario

import (
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// What Args and Env of a Program may hold in place of what each copy is given.
const (
	// KubeconfigPlaceholder stands for the path of the copy's kubeconfig.
	KubeconfigPlaceholder = "{kubeconfig}"
	// IdentityPlaceholder stands for what the copy is called, which is its host's
	// name in a Scenario: contender-1 or contender-2.
	IdentityPlaceholder = "{identity}"
)

// Program is one that elects through a Lease. A run starts two copies of it, each
// on a host of its own, where KUBECONFIG is the path of its kubeconfig.
type Program struct {
	// Name is what it is called in results; it must be set.
	Name string
	// Path is the program itself, absolute. A script that starts it would be harmed
	// in its place.
	Path string
	// Args and Env are its arguments and what is added to its environment,
	// KEY=value each.
	Args, Env []string
	// Namespace and Lease name the Lease that it elects through. A namespace that is
	// missing is made, and a Lease of an earlier run deleted.
	Namespace, Lease string
	// Restricted gives the copies the rights of Stage.Grant. Without it they may do
	// everything.
	Restricted bool
}

// peerProgram is a contender of package contender. Its identity and its kubeconfig
// are those of each copy.
func peerProgram(o contender.Options) (Program, error) {
	o.Identity, o.Kubeconfig = IdentityPlaceholder, KubeconfigPlaceholder
	path, args, env, err := contender.Command(o)
	return Program{Name: o.Peer, Path: path, Args: args, Env: env, Namespace: o.Namespace, Lease: o.Lease, Restricted: true}, err
}

// command is how a copy is started.
func (p Program) command(identity, kubeconfig string) lab.Command {
	fill := strings.NewReplacer(KubeconfigPlaceholder, kubeconfig, IdentityPlaceholder, identity).Replace
	c := lab.Command{Path: p.Path, Env: []string{"KUBECONFIG=" + kubeconfig}}
	for _, a := range p.Args {
		c.Args = append(c.Args, fill(a))
	}
	for _, e := range p.Env {
		c.Env = append(c.Env, fill(e))
	}
	return c
}
