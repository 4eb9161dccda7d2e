package main

import (
	"errors"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// component is the name under which requests and events appear, and that of the
// Lease and of the ConfigMap unless flags say otherwise.
const component = "hosts-controller"

// connections are the two clients of the process. They share no connection: the
// lock's stays small and fast whatever the other one does.
type connections struct {
	identity string
	traffic  kubernetes.Interface
	// election has the lock, unless nobody contends.
	election leaderelection.LeaderElectionConfig
	recorder record.EventRecorder
	events   record.EventBroadcaster
}

func connect(o options) (*connections, error) {
	config, err := restConfig(o.kubeconfig)
	if err != nil {
		return nil, err
	}
	config = rest.AddUserAgent(config, component)
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for the host name, which is part of the identity: %w", err)
	}
	identity, err := fence.IdentityOf(config) // the Pod's whose token it is, so that a fence may know it
	if errors.Is(err, fence.ErrNoPod) {
		identity, err = host+"_"+string(uuid.NewUUID()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("making an identity: %w", err)
	}

	c := &connections{identity: identity, events: record.NewBroadcaster()}
	c.recorder = c.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component, Host: host})
	if err := c.make(o, config); err != nil {
		c.events.Shutdown()
		return nil, err
	}
	c.events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: c.traffic.CoreV1().Events(corev1.NamespaceAll)})
	return c, nil
}

// make builds both clients from config.
func (c *connections) make(o options, config *rest.Config) (err error) {
	if o.election.LeaderElect {
		c.election, err = o.election.Config(config, resourcelock.ResourceLockConfig{Identity: c.identity, EventRecorder: c.recorder})
	} else {
		c.election, err = o.election.Election()
	}
	if err != nil {
		return err
	}
	hardened, err := dialer.HardenTraffic(config, c.election.RenewDeadline)
	if err != nil {
		return fmt.Errorf("hardening the connections of the informers: %w", err)
	}
	hardened.Wrap(leaderelection.FenceWrapper(nil)) // only the work writes, with the context of its term
	if c.traffic, err = kubernetes.NewForConfig(hardened); err != nil {
		return fmt.Errorf("building the client of the informers: %w", err)
	}
	return nil
}

// restConfig returns how to reach the API: by a kubeconfig, or as a Pod does.
func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("outside of a cluster -kubeconfig is needed: %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("-kubeconfig=%q: %w", kubeconfig, err)
	}
	return config, nil
}
