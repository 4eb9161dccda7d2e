package scenario

import (
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// name says which API servers, by index, the virtual IP names from now on.
func (r *run) name(servers ...int) error {
	if err := r.stage.lab.SetBackends(servers...); err != nil {
		return err
	}
	r.say(event.Event{Who: stage.Narrator, What: event.Backends, Reason: fmt.Sprint("API servers ", servers)})
	return nil
}

// nameAll makes the virtual IP name every API server.
func (r *run) nameAll() error {
	return r.name(slices.Concat([]int{victimIndex}, r.unharmed)...)
}
