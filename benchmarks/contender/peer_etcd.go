package contender

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"google.golang.org/grpc"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// etcd is the election of etcd's own client/v3/concurrency, at the etcd that is
// behind the API servers: what a dedicated lock service reaches. Its lease is
// the session's time to live, which etcd counts in whole seconds, at least
// one; RenewDeadline and RetryPeriod mean nothing to it, since a session is kept
// alive three times in a lease.
//
// There is no Lease object that an observer could watch, and a keepalive leaves
// no trace in etcd's data. So the contender says itself what it holds: Committed
// for each keepalive that etcd has answered while it leads, with the time of the
// answer as RenewTime. etcd counts from a moment earlier, by the answer's way
// back, and a keepalive whose answer is lost goes unsaid: then the lease ends
// up to a third of it later than the stream shows. Released is said when the
// resignation is sent.
//
// The client looks once a second whether a session has gone unanswered for too
// long, and the work ends only then: without a network, up to a second after
// another may lead.
var etcd = peer{
	etcd:    true,
	refuses: etcdRefuses,
	direct: func(ctx context.Context, o Options, says voice, leading func(context.Context), stopped func(string)) error {
		if err := etcdRefuses(o.Timing); err != nil {
			return err
		}
		life, end := context.WithCancel(context.WithoutCancel(ctx)) // outlasts ctx by the release
		defer end()
		client, err := clientv3.New(clientv3.Config{
			Endpoints:   []string{o.Etcd},
			Context:     life,
			DialOptions: []grpc.DialOption{grpc.WithStatsHandler(&calls{says: says})},
		})
		if err != nil {
			return err
		}
		defer client.Close() // its error is that life has ended
		for ctx.Err() == nil {
			c := candidacy{o: o, says: says, client: client}
			led, err := c.contend(ctx, leading, stopped)
			if led || err != nil {
				return err
			}
			select { // the session ended before it led
			case <-time.After(o.Timing.RetryPeriod):
			case <-ctx.Done():
			}
		}
		return nil
	},
}

func etcdRefuses(t Timing) error {
	if t.LeaseDuration < time.Second || t.LeaseDuration%time.Second != 0 {
		return fmt.Errorf("LeaseDuration %v: etcd counts a session's time to live in whole seconds, at least one", t.LeaseDuration)
	}
	return nil
}

// candidacy is one session of a contender: a candidate, and then perhaps the
// leader.
type candidacy struct {
	o      Options
	says   voice
	client *clientv3.Client

	mu     sync.Mutex
	leads  bool
	answer time.Time // of the last keepalive
}

// contend campaigns, and leads until ctx is done or the session has ended. It
// reports whether it led; a session that ended before that is no error.
func (c *candidacy) contend(ctx context.Context, leading func(context.Context), stopped func(string)) (led bool, err error) {
	life, end := context.WithCancel(c.client.Ctx())
	defer end()
	given := context.AfterFunc(ctx, end) // nobody waits for a session that comes too late
	session, err := concurrency.NewSession(c.client, concurrency.WithTTL(int(c.o.Timing.LeaseDuration/time.Second)), concurrency.WithContext(life))
	if !given() || err != nil {
		if ctx.Err() != nil {
			return false, nil
		}
		return false, fmt.Errorf("open a session: %w", err)
	}
	c.renewed(time.Now())
	if err := c.listen(session); err != nil {
		return false, err
	}

	campaign, giveUp := context.WithCancel(ctx)
	defer giveUp()
	defer context.AfterFunc(session.Ctx(), giveUp)()
	election := concurrency.NewElection(session, fmt.Sprintf("/%s/%s", c.o.Namespace, c.o.Lease))
	if err := election.Campaign(campaign, c.o.Identity); err != nil {
		switch {
		case ctx.Err() != nil:
			return false, session.Close()
		case session.Ctx().Err() != nil:
			return false, nil
		}
		return false, fmt.Errorf("campaign: %w", err)
	}
	c.lead()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		leading(campaign)
	}()
	select {
	case <-session.Done():
		stopped("the session has ended")
		return true, nil
	case <-ctx.Done():
	}
	<-returned
	if !c.o.ReleaseOnCancel {
		session.Orphan()
		return true, nil
	}
	return true, c.release(session, election)
}

// listen says each answered keepalive. The client sends no more of them for a
// second listener.
func (c *candidacy) listen(session *concurrency.Session) error {
	answers, err := c.client.KeepAlive(session.Ctx(), session.Lease())
	if err != nil {
		return fmt.Errorf("listen to keepalives: %w", err)
	}
	go func() {
		for range answers {
			c.renewed(time.Now())
		}
	}()
	return nil
}

// renewed takes note of a keepalive that was answered at the time at.
func (c *candidacy) renewed(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = at
	if c.leads {
		c.hold()
	}
}

// lead begins to say what is held.
func (c *candidacy) lead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = true
	c.hold()
}

// hold says what is held; mu must be.
func (c *candidacy) hold() {
	c.says.say(event.Event{What: event.Committed, Holder: c.o.Identity, RenewTime: c.answer, Lease: c.o.Timing.LeaseDuration})
}

// release gives the leadership up and ends the session, within a lease.
func (c *candidacy) release(session *concurrency.Session, election *concurrency.Election) error {
	c.mu.Lock()
	c.leads = false
	c.says.say(event.Event{What: event.Released, RenewTime: c.answer, Lease: c.o.Timing.LeaseDuration})
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(c.client.Ctx(), c.o.Timing.LeaseDuration)
	defer cancel()
	if err := election.Resign(ctx); err != nil {
		return fmt.Errorf("resign: %w", err)
	}
	return session.Close()
}
