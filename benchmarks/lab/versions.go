package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
)

// EtcdURL is where etcd serves its clients: without TLS, reached from every
// host directly.
func (l *Lab) EtcdURL() string {
	return "http://" + netip.AddrPortFrom(l.etcd.host.Addr(), etcdPort).String()
}

// Versions returns what the lab's programs say of themselves, by name, such as
// "kube-apiserver": "v1.37.2", or "v1.36.5, v1.37.2" where the API servers are of
// several versions, each once, by index. They are asked, since KUBEBUILDER_ASSETS
// may have brought others than those that are pinned here.
func (l *Lab) Versions(ctx context.Context) (map[string]string, error) {
	store, err := versionOf(ctx, l.options.Binaries.Etcd)
	if err != nil {
		return nil, err
	}
	var servers []string
	for i := range l.servers {
		path, err := l.apiServerPath(i)
		if err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
		version, err := versionOf(ctx, path)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(servers, version) {
			servers = append(servers, version)
		}
	}
	return map[string]string{"kube-apiserver": strings.Join(servers, ", "), "etcd": store}, nil
}

// versionOf is what the program at path says of itself, such as "v1.37.2".
func versionOf(ctx context.Context, path string) (string, error) {
	said, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("lab: ask %s for its version: %w", path, err)
	}
	version := lastWord(string(said))
	if version == "" {
		return "", fmt.Errorf("lab: ask %s for its version: it says nothing", path)
	}
	return "v" + strings.TrimPrefix(version, "v"), nil
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
