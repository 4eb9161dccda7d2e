package cost

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnlyTheContendersRequestsCount(t *testing.T) {
	got, err := parseServed(strings.NewReader(`# HELP apiserver_flowcontrol_dispatched_requests_total [BETA] Number of executed requests
# TYPE apiserver_flowcontrol_dispatched_requests_total counter
apiserver_flowcontrol_dispatched_requests_total{flow_schema="exempt",priority_level="exempt"} 500
apiserver_flowcontrol_dispatched_requests_total{flow_schema="global-default",priority_level="global-default"} 40
apiserver_flowcontrol_dispatched_requests_total{priority_level="other",flow_schema="global-default"} 2.5e+01 1700000000
apiserver_flowcontrol_rejected_requests_total{flow_schema="global-default",priority_level="global-default",reason="queue-full"} 3
apiserver_flowcontrol_rejected_requests_total{flow_schema="exempt",priority_level="exempt",reason="queue-full"} 7
apiserver_request_total{flow_schema="global-default"} 900
`))
	require.NoError(t, err)
	assert.Equal(t, served{dispatched: 65, rejected: 3}, got)
	assert.Equal(t, served{dispatched: 60, rejected: 3}, got.since(served{dispatched: 5}))

	none, err := parseServed(strings.NewReader(`apiserver_flowcontrol_dispatched_requests_total{flow_schema="exempt"} 1` + "\n"))
	require.NoError(t, err, "a server that nobody has asked yet")
	assert.Zero(t, none)

	for _, bad := range []string{"", "apiserver_request_total{} 1\n", dispatchedMetric + "{", dispatchedMetric + `{flow_schema="global-default"} x`} {
		_, err := parseServed(strings.NewReader(bad))
		assert.Error(t, err, "%q", bad)
	}
}
