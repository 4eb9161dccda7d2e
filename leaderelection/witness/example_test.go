package witness_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// Outlets is a witness of one's own: machines hang on power outlets that can be
// asked whether they are on, and how often they were switched. A machine whose outlet
// is off, or was switched since, runs no process of that time.
type Outlets struct {
	Own  string // the outlet of this machine
	Read func(ctx context.Context, outlet string) (on bool, switched int, err error)
}

var _ witness.Witness = Outlets{}

// Name has a domain, so that no other witness has it too.
func (Outlets) Name() string { return "example.com/outlet" }

// Leave names the outlet and which run of it this is.
func (o Outlets) Leave(ctx context.Context) (string, error) {
	_, switched, err := o.Read(ctx, o.Own)
	return fmt.Sprintf("%s %d", o.Own, switched), err
}

// Await asks now and then. An outlet that does not answer is no proof of anything.
func (o Outlets) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	var outlet string
	var then int
	if _, err := fmt.Sscanf(testimony, "%s %d", &outlet, &then); err != nil {
		return witness.Proof{}, fmt.Errorf("%w: %q names no outlet: %w", witness.ErrNoProof, testimony, err)
	}
	look := func(ctx context.Context) error {
		switch on, switched, err := o.Read(ctx, outlet); {
		case err != nil:
			return err
		case on && switched == then:
			return errors.New("the machine runs on")
		}
		return nil
	}
	for look(ctx) != nil {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return witness.Proof{}, context.Cause(ctx)
		}
	}
	return witness.Proof{Testimony: testimony, Evidence: "outlet " + outlet + " was switched", Again: look}, nil
}

func ExampleWitness() {
	on := true
	outlets := Outlets{Own: "rack7/3", Read: func(context.Context, string) (bool, int, error) { return on, 12, nil }}

	testimony, err := outlets.Leave(context.Background()) // by the holder
	fmt.Println(testimony, err)

	on = false
	proof, err := outlets.Await(context.Background(), testimony) // by a candidate
	fmt.Println(proof.Evidence, err)

	on = true // without a switch: somebody has mended the reader
	fmt.Println(proof.Check(context.Background(), testimony))
	// Output:
	// rack7/3 12 <nil>
	// outlet rack7/3 was switched <nil>
	// the machine runs on
}

func ExampleNewGroup() {
	off := Outlets{Own: "rack7/3", Read: func(context.Context, string) (bool, int, error) { return false, 12, nil }}
	witnesses, err := witness.NewGroup(witness.Process{}, &witness.Pod{}, off)
	if err != nil {
		panic(err)
	}
	// What stands in the Lease: Pod is not ours to ask here, and Process ran on a
	// machine that has been started anew.
	testimony := `{"example.com/outlet":"rack7/3 12","process":"0123456789abcdef0123456789abcdef boot=x net=4:1 cookie=1 from= epoch=0"}`
	proof, err := witnesses.Await(context.Background(), testimony)
	fmt.Println(proof.Witness, err)
	fmt.Println(proof.Check(context.Background(), testimony))
	// Output:
	// example.com/outlet <nil>
	// <nil>
}
