package lab

import (
	"fmt"
	"path/filepath"
)

// auditPolicy writes one line a request, at the moment at which it comes in: of a
// watch there would be none before its end.
const auditPolicy = `{
"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
"omitStages": ["ResponseStarted", "ResponseComplete"],
"rules": [{"level": "None", "users": ["system:apiserver", "` + observerName + `"]}, {"level": "Metadata"}]
}`

// auditSize is how many megabytes an audit log grows to before it is begun anew:
// more than a lab ever writes.
const auditSize = 1 << 20

// AuditLog is the file that the server writes requests to, an audit.k8s.io/v1 Event
// in JSON on each line, with what was asked, by whom and when it came in. It is empty
// unless Options.Audit was set. Restarts go on with it.
func (a *APIServer) AuditLog() string { return a.auditLog }

// audit returns the arguments by which a writes its audit log, in the folder dir.
func (l *Lab) audit(a *APIServer, dir string) ([]string, error) {
	if !l.options.Audit {
		return nil, nil
	}
	policy := filepath.Join(dir, "audit-policy.json")
	if err := writeFiles(map[string][]byte{policy: []byte(auditPolicy)}); err != nil {
		return nil, err
	}
	a.auditLog = filepath.Join(dir, "audit.log")
	return []string{
		"--audit-policy-file=" + policy,
		"--audit-log-path=" + a.auditLog,
		fmt.Sprintf("--audit-log-maxsize=%d", auditSize),
	}, nil
}
