package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/internal/podtoken"
)

// host is what this process sees of where it runs. The zero value is the real one.
type host struct {
	root string // a folder in place of /
	pid  int    // in place of the real one
}

// instance is a container of a Pod, as far as it is known.
type instance struct {
	namespace, pod string
	uid            types.UID
	container, log string
}

const (
	tokenFile     = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	mountFile     = "/proc/self/mountinfo"
	defaultLog    = "/dev/termination-log" // of Kubernetes, where a Pod asks for no other
	ownCgroup     = "/proc/self/cgroup"
	firstCgroup   = "/proc/1/cgroup"
	ownFiles      = "/proc/self/ns/mnt"
	firstFiles    = "/proc/1/ns/mnt"
	longestFile   = 8 << 20 // far more than the mounts of a crowded node
	longestToken  = 1 << 16
	longestCgroup = 1 << 16
)

func (h host) path(of string) string { return filepath.Join(h.root, of) }

// read returns a file of at most so many bytes.
func (h host) read(path string, most int64) ([]byte, error) {
	file, err := os.Open(h.path(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return content, nil
}

// identify completes what is given. What is missing of the Pod is in the token, and
// what is missing of the container is in the mounts, provided that both mean one Pod.
func (h host) identify(given instance) (instance, error) {
	i := given
	if i.namespace == "" || i.pod == "" || i.uid == "" {
		token, err := h.read(tokenFile, longestToken)
		if err != nil {
			return i, fmt.Errorf("namespace, name and UID of the Pod are not all given, and there is no token: %w", err)
		}
		bound, err := podtoken.Parse(string(token))
		if err == nil && bound.Namespace == "" {
			err = errors.New("it names no namespace")
		}
		if err != nil {
			return i, fmt.Errorf("%s: the token: %w", tokenFile, err)
		}
		for _, part := range []struct {
			what         string
			given, bound string
		}{
			{"namespace", i.namespace, bound.Namespace},
			{"Pod", i.pod, bound.Name},
			{"UID", string(i.uid), string(bound.UID)},
		} {
			if part.given != "" && part.given != part.bound {
				return i, fmt.Errorf("the %s is given as %q, and the token is bound to %q", part.what, part.given, part.bound)
			}
		}
		i.namespace, i.pod, i.uid = bound.Namespace, bound.Name, bound.UID
	}
	if i.container != "" && i.log != "" {
		return i, nil
	}
	mounts, err := h.read(mountFile, longestFile)
	if err != nil {
		return i, fmt.Errorf("container and termination log are not both given: %w", err)
	}
	found, err := ownLog(parseMounts(string(mounts)), i.uid, i.container, i.log)
	switch {
	case err == nil:
		i.container, i.log = found.container, found.mountPoint
	case i.container != "" && errors.Is(err, errNoLog):
		i.log = defaultLog // mounted by something else than a kubelet that we know
	default:
		return i, fmt.Errorf("%s: %w", mountFile, err)
	}
	return i, nil
}

// endsWithItsContainer returns nil if the end of the container is the end of this
// process: it is the first process of the container itself, or of one PID namespace
// with it, whose end is the end of all others. Where the first process that it sees is
// in another cgroup, that is the first of the Pod or of the node, and this process may
// outlive its container's.
func (h host) endsWithItsContainer() error {
	pid := h.pid
	if pid == 0 {
		pid = os.Getpid()
	}
	if pid == 1 {
		return nil
	}
	own, err := h.read(ownCgroup, longestCgroup)
	if err != nil {
		return err
	}
	first, err := h.read(firstCgroup, longestCgroup)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(own)) == 0 || !bytes.Equal(own, first) {
		return fmt.Errorf("it is process %d, and the first process is in another cgroup (%s) than it (%s)",
			pid, death.Quote(string(bytes.TrimSpace(first))), death.Quote(string(bytes.TrimSpace(own))))
	}
	// Where nobody has put containers into cgroups, all are in one. The first process
	// of a container has the files of that container, if this process may look.
	files, err := os.Readlink(h.path(firstFiles))
	if ownFiles, ownErr := os.Readlink(h.path(ownFiles)); err == nil && ownErr == nil && files != ownFiles {
		return fmt.Errorf("it is process %d, and the first process is in another mount namespace (%s) than it (%s)", pid, files, ownFiles)
	}
	return nil
}
