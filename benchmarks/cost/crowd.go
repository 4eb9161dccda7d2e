package cost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
)

const (
	// marker is the environment variable that turns a program that calls Main
	// into a crowd; its value is a crowd's JSON.
	marker = "HOLDFAST_LAB_CROWD"

	// startPause lies between the beginnings of two contenders of one crowd.
	startPause = 5 * time.Millisecond
)

// crowd is a program that holds many contenders and says what they cost it: a
// Reading, as a line of JSON, before the first has begun and upon each signal.
type crowd struct {
	// Size is how many contend.
	Size int `json:"size"`
	// Shared says that they contend for leases of their own, the first for
	// NAME-0, made from one configuration. Otherwise they contend for the same
	// lease, each with a transport of its own, and their requests are counted.
	Shared bool `json:"shared"`
	// First is the number of the first identity.
	First int `json:"first"`

	options contender.Options
	begun   time.Time
	entered atomic.Int64 // contenders that have begun
	leading atomic.Int64
	lost    atomic.Int64
	broken  atomic.Pointer[string]
	counts  []*count // one for each contender, unless Shared
}

// command returns what starts the running program once more, as a crowd of
// contenders with the options o.
func (c *crowd) command(o contender.Options) (path string, args, env []string, err error) {
	// The peer may need an environment of its own. That it has the contender's
	// marker as well does no harm, since Main comes before contender.Main.
	path, args, env, err = contender.Command(o)
	if err != nil {
		return "", nil, nil, err
	}
	spec, err := json.Marshal(c)
	if err != nil {
		return "", nil, nil, fmt.Errorf("start a crowd: %w", err)
	}
	return path, args, append(env, marker+"="+string(spec)), nil
}

// Main returns at once in a program that was started as itself. In one that
// [Rest] or [Leases] has started it contends until it is killed. Call it before
// contender.Main.
func Main() {
	spec := os.Getenv(marker)
	if spec == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := program(ctx, spec, os.Args[1:], os.Stdout)
	stop()
	klog.Flush()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(contender.ExitSetup)
	}
	os.Exit(contender.ExitOK)
}

func program(ctx context.Context, spec string, args []string, out io.Writer) error {
	c := &crowd{begun: time.Now()}
	err := json.Unmarshal([]byte(spec), c)
	if err == nil {
		c.options, err = contender.Parse(args, os.Stderr)
	}
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.options.Kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", c.options.Kubeconfig, err)
	}
	asked := make(chan os.Signal, 2)
	signal.Notify(asked, readSignal, collectSignal)
	defer signal.Stop(asked)
	return c.run(ctx, config, asked, out)
}

// run starts the contenders and answers until ctx is done.
func (c *crowd) run(ctx context.Context, config *rest.Config, asked <-chan os.Signal, out io.Writer) error {
	says := json.NewEncoder(out)
	if err := c.say(says, true); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var contenders sync.WaitGroup
	defer contenders.Wait()
	defer cancel()
	if !c.Shared {
		c.counts = make([]*count, c.Size)
		for i := range c.counts {
			c.counts[i] = new(count)
		}
	}
	contenders.Go(func() {
		for i := range c.Size {
			contenders.Go(func() { c.contend(ctx, i, config) })
			select {
			case <-time.After(startPause):
			case <-ctx.Done():
				return
			}
		}
	})
	for {
		select {
		case s := <-asked:
			if err := c.say(says, s == collectSignal); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// contend is one contender, from its beginning to the end of ctx.
func (c *crowd) contend(ctx context.Context, number int, config *rest.Config) {
	o := c.options
	o.Identity += "-" + strconv.Itoa(c.First+number)
	if c.Shared {
		o.Lease += "-" + strconv.Itoa(number)
	} else {
		config = c.counts[number].own(config)
	}
	c.entered.Add(1)
	for ctx.Err() == nil {
		led := make(chan struct{})
		err := contender.Contend(ctx, o, config,
			func(work context.Context) {
				defer close(led)
				c.leading.Add(1)
				<-work.Done()
				c.leading.Add(-1)
			}, func(string) {})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			select {
			case <-led: // and has returned
				c.lost.Add(1)
				continue
			case <-time.After(o.Timing.RenewDeadline):
				err = errors.New("the elector returned, and its work did not begin or does not end")
			case <-ctx.Done():
				return
			}
		}
		text := o.Identity + ": " + err.Error()
		c.broken.CompareAndSwap(nil, &text)
		return
	}
}

// say writes a reading.
func (c *crowd) say(out *json.Encoder, collect bool) error {
	r := Reading{
		Since:      time.Since(c.begun),
		Contenders: int(c.entered.Load()), Leading: int(c.leading.Load()), Lost: int(c.lost.Load()),
	}
	if broken := c.broken.Load(); broken != nil {
		r.Broken = *broken
	}
	for _, count := range c.counts {
		r.Sent += count.sent.Load()
		if count.answered.Load() >= 2 {
			r.Answered++
		}
	}
	if err := measureSelf(&r, collect); err != nil {
		return err
	}
	if err := out.Encode(r); err != nil {
		return fmt.Errorf("say what the crowd costs: %w", err)
	}
	return nil
}
