package leaderelection

import (
	"fmt"
	"runtime"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// DefaultWitnesses returns the witnesses of an elector that is not told of any:
// witness.Process on Linux, none elsewhere. Whoever adds one appends it to these.
func DefaultWitnesses() []witness.Witness {
	if runtime.GOOS != "linux" {
		return nil
	}
	return []witness.Witness{witness.Process{}}
}

// witnesses returns the witnesses of an election as one, nil where there are none.
func (c *LeaderElectionConfig) witnesses() (*witness.Group, error) {
	all := c.Witnesses
	if all == nil {
		all = DefaultWitnesses()
	}
	group, err := witness.NewGroup(all...)
	if err != nil {
		return nil, fmt.Errorf("field Witnesses: %w", err)
	}
	if c.Coordinated || len(all) == 0 {
		return nil, nil
	}
	return group, nil
}
