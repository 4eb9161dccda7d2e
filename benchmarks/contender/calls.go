package contender

import (
	"context"
	"path"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// calls makes the calls of a gRPC client appear in the stream, as counted does
// for requests of HTTP. Each message that is sent is a request: on a stream, as
// that of keepalives is, many go out in one call.
type calls struct{ says voice }

var _ stats.Handler = (*calls)(nil)

// call is under what HandleRPC finds the verb in the context.
type call struct{}

// TagRPC implements stats.Handler.
func (*calls) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, call{}, path.Base(info.FullMethodName))
}

// HandleRPC implements stats.Handler.
func (c *calls) HandleRPC(ctx context.Context, s stats.RPCStats) {
	verb, _ := ctx.Value(call{}).(string)
	switch s := s.(type) {
	case *stats.OutPayload:
		c.says.say(event.Event{Time: s.SentTime, What: event.Requested, Verb: verb})
	case *stats.End:
		if s.Error == nil {
			return
		}
		what := event.Failed
		if status.Code(s.Error) == codes.Canceled {
			what = event.Abandoned
		}
		c.says.say(event.Event{What: what, Verb: verb, Took: max(time.Nanosecond, s.EndTime.Sub(s.BeginTime)), Reason: s.Error.Error()})
	}
}

// TagConn implements stats.Handler.
func (*calls) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	if info.RemoteAddr == nil {
		return ctx
	}
	return context.WithValue(ctx, connection{}, info.RemoteAddr.String())
}

// connection is under what HandleConn finds an address in the context.
type connection struct{}

// HandleConn implements stats.Handler.
func (c *calls) HandleConn(ctx context.Context, s stats.ConnStats) {
	if _, begins := s.(*stats.ConnBegin); begins {
		address, _ := ctx.Value(connection{}).(string)
		c.says.say(event.Event{What: event.Connected, On: address})
	}
}
