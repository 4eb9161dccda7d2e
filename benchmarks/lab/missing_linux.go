package lab

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// whatIsMissing says, as the end of one sentence, what keeps a user from having
// namespaces. setting reads a kernel setting by its sysctl name and is empty
// where the kernel does not have it.
func whatIsMissing(euid int, setting func(name string) string) string {
	if euid == 0 {
		return "root lacks the right to make namespaces (CAP_SYS_ADMIN): in a container, run it privileged"
	}
	const orRoot = ": set it, or run as root"
	for _, s := range []struct{ name, forbids, allows string }{
		{"kernel.unprivileged_userns_clone", "0", "1"},
		{"user.max_user_namespaces", "0", "10000"},
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
	} {
		if setting(s.name) == s.forbids {
			return "without root it takes unprivileged user namespaces, which sysctl " +
				s.name + "=" + s.forbids + " forbids and " + s.allows + " allows" + orRoot
		}
	}
	return "without root it takes unprivileged user namespaces, which this kernel or container forbids: run as root"
}

func readSetting(name string) string {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// outerUser is the user, as the machine knows it, that has entered: inside a
// user namespace everybody is root.
func outerUser() int {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return os.Geteuid()
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return os.Geteuid()
	}
	outer, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return os.Geteuid()
	}
	return outer
}
