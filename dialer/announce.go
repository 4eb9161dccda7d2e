package dialer

import (
	"net/http"
	"strings"
	"time"
)

// announce tells an API server for how long the answer to a request is waited
// for, in the query parameter timeout that client-go sends for a
// rest.Config.Timeout. A server that is behind gives up on what nobody waits for
// any more, instead of executing it later. A parameter that is there stays if it
// asks for less. The request is the attempt's own.
func announce(request *http.Request, left time.Duration) {
	if request.URL == nil {
		return
	}
	if deadline, ok := request.Context().Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	left = max(left.Truncate(time.Millisecond), time.Millisecond)
	switch url := request.URL; {
	case url.RawQuery == "":
		url.RawQuery = "timeout=" + left.String()
	case !strings.Contains(url.RawQuery, "timeout="):
		url.RawQuery += "&timeout=" + left.String()
	default:
		query := url.Query()
		if said, err := time.ParseDuration(query.Get("timeout")); err != nil || said <= 0 || said > left {
			query.Set("timeout", left.String())
			url.RawQuery = query.Encode()
		}
	}
}
