package cost

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// flowSchema is where the API servers put the requests of contenders, who are
// ordinary users. Nobody else in the laboratory is: the API servers' own
// requests and the observer's are exempt.
const flowSchema = "global-default"

const (
	dispatchedMetric = "apiserver_flowcontrol_dispatched_requests_total"
	rejectedMetric   = "apiserver_flowcontrol_rejected_requests_total"
)

// served is what the API servers have counted of the contenders' requests.
type served struct{ dispatched, rejected float64 }

func (s served) since(before served) served {
	return served{s.dispatched - before.dispatched, s.rejected - before.rejected}
}

// apiServers are the observers of all API servers.
type apiServers []kubernetes.Interface

func observe(l *lab.Lab) (apiServers, error) {
	var all apiServers
	for i := range l.APIServers() {
		client, _, err := l.Observer(i)
		if err != nil {
			return nil, err
		}
		all = append(all, client)
	}
	return all, nil
}

// served adds up what they have counted so far.
func (a apiServers) served(ctx context.Context) (served, error) {
	var sum served
	for i, client := range a {
		text, err := client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
		if err == nil {
			var s served
			s, err = parseServed(string(text))
			sum.dispatched += s.dispatched
			sum.rejected += s.rejected
		}
		if err != nil {
			return served{}, fmt.Errorf("read the metrics of API server %d: %w", i, err)
		}
	}
	return sum, nil
}

// parseServed adds up the counters of the contenders' flow schema in metrics,
// which is in the text format of Prometheus. A server that has not counted any
// of them yet does not have the counter.
func parseServed(metrics string) (served, error) {
	var s served
	known := false
	for line := range strings.Lines(metrics) {
		name, rest, found := strings.Cut(line, "{")
		if !found {
			continue
		}
		var into *float64
		switch name {
		case dispatchedMetric:
			known, into = true, &s.dispatched
		case rejectedMetric:
			into = &s.rejected
		default:
			continue
		}
		labels, value, found := strings.Cut(rest, "}")
		if !found {
			return served{}, fmt.Errorf("metric %s has no end of labels", name)
		}
		if !strings.Contains(","+labels, `,flow_schema="`+flowSchema+`"`) {
			continue
		}
		number, _, _ := strings.Cut(strings.TrimSpace(value), " ") // a time stamp may follow
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return served{}, fmt.Errorf("metric %s: %w", name, err)
		}
		*into += n
	}
	if !known {
		return served{}, errors.New("there is no metric " + dispatchedMetric)
	}
	return s, nil
}
