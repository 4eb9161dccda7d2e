package podlabel

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

const (
	// DefaultKey is the key of the label unless Config.Key says otherwise.
	DefaultKey = "holdfast-go.github.io/leader-of"
	// DefaultBound is how long a call may take unless Config.Bound says otherwise.
	DefaultBound = time.Second
	// DefaultEvery is how often a leader looks after the label unless Config.Every
	// says otherwise.
	DefaultEvery = 10 * time.Second
)

// Config says which label which Pod bears while it leads.
type Config struct {
	// Pods is the API of the Pods in the namespace of Pod, such as
	// client.CoreV1().Pods(namespace). It must not be nil. Its client should be
	// one whose connections cannot stall (dialer.HardenTraffic), and must not be one
	// of Guard: the label is taken off when the term is over.
	Pods typedcorev1.PodInterface

	// Pod is the name of this contender's own Pod (metadata.name).
	Pod string

	// UID is that of the Pod (metadata.uid). With it nothing is written to another Pod
	// that bears the same name later, as the Pods of a StatefulSet do. Empty: the
	// name alone decides.
	UID types.UID

	// Key and Value are the label. An empty Key is DefaultKey. Value must be set: the
	// name of the Lease, unless that is longer than a label may be. Two elections
	// in one namespace must differ in one of them, and two that one Pod takes part in
	// must differ in Key. No Deployment or other controller may have Key in
	// its selector.
	Key, Value string

	// Bound is how long each call to the API may take, and for how long after the
	// end of a term the label is tried to be taken off. Zero is DefaultBound.
	Bound time.Duration

	// Every is how often a leader lists the Pods that bear the label; it does so
	// more often at first. Zero is DefaultEvery.
	Every time.Duration
}

// complete returns c with its defaults, or an error that names the field.
func (c Config) complete() (Config, error) {
	if c.Key == "" {
		c.Key = DefaultKey
	}
	if c.Bound == 0 {
		c.Bound = DefaultBound
	}
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	switch {
	case c.Pods == nil:
		return c, errors.New("podlabel: Config.Pods is nil: must be the API of the Pods of one namespace")
	case c.Value == "":
		return c, errors.New(`podlabel: Config.Value is "": must be set, for example to the name of the Lease`)
	case c.Bound < 0:
		return c, fmt.Errorf("podlabel: Config.Bound is %v: must not be negative; zero is %v", c.Bound, DefaultBound)
	case c.Every < 0:
		return c, fmt.Errorf("podlabel: Config.Every is %v: must not be negative; zero is %v", c.Every, DefaultEvery)
	}
	for _, name := range []struct {
		field, value string
		faults       []string
	}{
		{"Pod", c.Pod, validation.IsDNS1123Subdomain(c.Pod)},
		{"Key", c.Key, validation.IsQualifiedName(c.Key)},
		{"Value", c.Value, validation.IsValidLabelValue(c.Value)},
	} {
		if len(name.faults) > 0 {
			return c, fmt.Errorf("podlabel: Config.%s is %q: %s", name.field, name.value, strings.Join(name.faults, "; "))
		}
	}
	return c, nil
}

func (c Config) label() string { return c.Key + "=" + c.Value }
