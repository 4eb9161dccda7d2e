package cost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
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
			s, err = parseServed(bytes.NewReader(text))
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
func parseServed(metrics io.Reader) (served, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(metrics)
	if err != nil {
		return served{}, err
	}
	if families[dispatchedMetric] == nil {
		return served{}, errors.New("there is no metric " + dispatchedMetric)
	}
	sum := func(name string) (sum float64) {
		for _, m := range families[name].GetMetric() {
			if slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "flow_schema" && l.GetValue() == flowSchema }) {
				sum += m.GetCounter().GetValue() + m.GetUntyped().GetValue()
			}
		}
		return sum
	}
	return served{dispatched: sum(dispatchedMetric), rejected: sum(rejectedMetric)}, nil
}
