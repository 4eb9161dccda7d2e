// Package apipath tells what a path of the Kubernetes API leads to. The API may stand
// below a prefix, and behind other APIs: that of a hub, which passes on what follows the
// subresource proxy of one of its objects.
package apipath

import (
	"slices"
	"strings"
)

// IsWatch reports whether a path is that of a deprecated watch: /api/v1/watch/pods.
func IsWatch(path string) bool {
	parts := innermost(path).parts
	return len(parts) > 1 && parts[0] == "watch"
}

// Connects reports whether a path is that of a subresource whose answer need not end
// by itself: exec, attach, portforward or proxy. Of a hub the API behind it decides.
func Connects(path string) bool { return slices.Contains(connections, innermost(path).subresource()) }

// IntoPod reports whether a path is that of a subresource through which what runs in
// a Pod may be changed, whatever the method: exec, attach or portforward, also where
// an extension of the API names them so, behind whatever proxies, and those of a kubelet.
// A proxy itself passes the method on.
func IntoPod(path string) bool {
	for _, api := range levels(path) {
		if of := api.subresource(); of != "proxy" && slices.Contains(connections, of) || api.ofKubelet() {
			return true
		}
	}
	return false
}

var (
	connections = []string{"exec", "attach", "portforward", "proxy"}
	// kubelet are the paths of a kubelet that lead into a Pod.
	kubelet = []string{"exec", "attach", "portForward", "run", "cri"}
)

// level is the part of a path that one API understands.
type level struct {
	core  bool     // it is of the group without a name
	parts []string // behind the version
}

// levels returns the APIs that a path passes, the outermost first; none where it leads to
// nothing of interest.
func levels(path string) (all []level) {
	if !strings.Contains(path, "/watch/") && !slices.ContainsFunc(connections, func(name string) bool { return strings.Contains(path, "/"+name) }) {
		return nil // most paths, and these need not be split
	}
	for parts := strings.Split(path, "/"); ; {
		root := slices.IndexFunc(parts, isRoot)
		if root < 0 {
			return all
		}
		after := 2 // api and the version
		if parts[root] == "apis" {
			after = 3 // and the group
		}
		found := level{core: parts[root] == "api", parts: parts[min(root+after, len(parts)):]}
		all = append(all, found)
		if parts = found.behind(); len(parts) == 0 || !isRoot(parts[0]) {
			return all
		}
	}
}

func isRoot(part string) bool { return part == "api" || part == "apis" }

// innermost returns the API that decides whether an answer ends. What Services, Pods and
// nodes are proxies of need not be an API of Kubernetes, whatever its paths look like.
func innermost(path string) (api level) {
	for _, api = range levels(path) {
		if api.core && api.subresource() == "proxy" {
			break
		}
	}
	return api
}

// object returns the parts from the name of a resource on, without its namespace.
func (l level) object() []string {
	if len(l.parts) > 3 && l.parts[0] == "namespaces" {
		return l.parts[2:]
	}
	return l.parts
}

// subresource returns what stands behind the name of an object, empty where nothing
// does.
func (l level) subresource() string {
	parts := l.object()
	if len(parts) < 3 || parts[0] == "watch" {
		return ""
	}
	return parts[2]
}

// behind returns what is passed on by a proxy, if it is one.
func (l level) behind() []string {
	if l.subresource() != "proxy" {
		return nil
	}
	return l.object()[3:]
}

// ofKubelet reports whether it passes a command on to a kubelet.
func (l level) ofKubelet() bool {
	behind := l.behind()
	return len(behind) > 0 && l.core && l.object()[0] == "nodes" && slices.Contains(kubelet, behind[0])
}
