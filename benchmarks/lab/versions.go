package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
)

// EtcdURL is where etcd serves its clients: without TLS, reached from every
// host directly.
func (l *Lab) EtcdURL() string {
	return "http://" + netip.AddrPortFrom(l.etcd.host.Addr(), etcdPort).String()
}

// Versions returns what the lab's programs say of themselves, by name, such as
// "kube-apiserver": "v1.37.2". They are asked, since KUBEBUILDER_ASSETS may have
// brought others than those that are pinned here.
func (l *Lab) Versions(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	for name, path := range map[string]string{
		"kube-apiserver": l.options.Binaries.KubeAPIServer,
		"etcd":           l.options.Binaries.Etcd,
	} {
		said, err := exec.CommandContext(ctx, path, "--version").Output()
		if err != nil {
			return nil, fmt.Errorf("lab: ask %s for its version: %w", path, err)
		}
		version := lastWord(string(said))
		if version == "" {
			return nil, fmt.Errorf("lab: ask %s for its version: it says nothing", path)
		}
		versions[name] = "v" + strings.TrimPrefix(version, "v")
	}
	return versions, nil
}

// lastWord is the last word of the first line.
func lastWord(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(line)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
