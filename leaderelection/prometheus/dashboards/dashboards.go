// Package dashboards holds the alert rules and the dashboard as files, for
// programs that install them.
package dashboards

import _ "embed"

// Alerts are rules for Prometheus, in the YAML of a rule file.
//
//go:embed alerts.yaml
var Alerts []byte

// Grafana is a dashboard, in the JSON that Grafana imports.
//
//go:embed grafana.json
var Grafana []byte
