package witness

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// logMount is the mount of a container's termination log.
type logMount struct {
	uid        types.UID
	container  string
	file       string // its name on the node: a new one for each instance
	mountPoint string
}

// logSource is how a kubelet names the file of a termination log on the node, below a
// folder of its own (or of a file system that is mounted there). It is the kubelet's
// way, and no contract; where it is another, container and log are given by the user.
var logSource = regexp.MustCompile(`/pods/([0-9A-Za-z-]{1,64})/containers/([a-z0-9-]{1,63})/([0-9a-f]{8})$`)

// parseMounts returns the mounts of termination logs, in their order. The format is
// that of proc_pid_mountinfo(5): the fourth field is what of a file system is
// mounted, and the fifth where.
func parseMounts(mountinfo string) (found []logMount) {
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		source := logSource.FindStringSubmatch(unescape(fields[3]))
		if source == nil {
			continue
		}
		found = append(found, logMount{types.UID(source[1]), source[2], source[3], unescape(fields[4])})
	}
	return found
}

var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// unescape undoes what mountinfo does to space, tab, newline and backslash.
func unescape(field string) string { return escapes.Replace(field) }

var errNoLog = errors.New("no termination log that a kubelet has mounted")

// ownLog returns the one mount of a termination log that is of this Pod, and of the
// container and path, unless those are empty. A container may have others mounted,
// which it must not be taken for.
func ownLog(mounts []logMount, uid types.UID, container, path string) (logMount, error) {
	var own []logMount
	others := 0
	for _, m := range mounts {
		switch {
		case m.uid != uid:
			others++
		case container != "" && m.container != container, path != "" && m.mountPoint != path:
		default:
			own = append(own, m)
		}
	}
	if len(own) == 0 {
		return logMount{}, fmt.Errorf("%w: of Pod %s, %d of other Pods", errNoLog, uid, others)
	}
	for _, m := range own[1:] {
		if m.container != own[0].container || m.file != own[0].file {
			return logMount{}, fmt.Errorf("termination logs of two containers, %s at %s and %s at %s", own[0].container, own[0].mountPoint, m.container, m.mountPoint)
		}
	}
	return own[0], nil
}
