// Package apipath tells what a path of the Kubernetes API leads to. The API may stand
// below a prefix.
package apipath

import (
	"slices"
	"strings"
)

// IsWatch reports whether a path is that of a deprecated watch: /api/v1/watch/pods.
func IsWatch(path string) bool {
	parts := split(path)
	return len(parts) > 1 && parts[0] == "watch"
}

// Connects reports whether a path is that of a subresource whose answer need not end
// by itself: exec, attach, portforward or proxy.
func Connects(path string) bool { return slices.Contains(connections, subresource(path)) }

// IntoPod reports whether a path is that of a subresource through which what runs in
// a Pod may be changed, whatever the method: exec, attach or portforward, also where
// an extension of the API names them so. A proxy passes the method on.
func IntoPod(path string) bool { return Connects(path) && subresource(path) != "proxy" }

var connections = []string{"exec", "attach", "portforward", "proxy"}

// subresource returns what stands behind the name of an object, empty where nothing
// does.
func subresource(path string) string {
	parts := split(path)
	if len(parts) > 3 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if len(parts) < 3 || parts[0] == "watch" {
		return ""
	}
	return parts[2]
}

// split returns the parts of a path behind the version of the API.
func split(path string) []string {
	if !strings.Contains(path, "/watch/") && !slices.ContainsFunc(connections, func(name string) bool { return strings.Contains(path, "/"+name) }) {
		return nil // most paths, and these need not be split
	}
	parts := strings.Split(path, "/")
	root := slices.IndexFunc(parts, func(part string) bool { return part == "api" || part == "apis" })
	if root < 0 {
		return nil
	}
	after := 2 // api and the version
	if parts[root] == "apis" {
		after = 3 // and the group
	}
	return parts[min(root+after, len(parts)):]
}
