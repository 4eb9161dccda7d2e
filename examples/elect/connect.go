package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// connection is this process's part in an election.
type connection struct {
	identity string
	election leaderelection.LeaderElectionConfig
	label    *podlabel.Label // nil: none
	// lock and traffic count what becomes of the connections.
	lock, traffic dialer.Meter
}

func connect(o options) (*connection, error) {
	config, err := restConfig(o.kubeconfig)
	if err != nil {
		return nil, err
	}
	config = rest.AddUserAgent(config, "elect")
	c := &connection{identity: o.identity}
	if c.identity == "" {
		if c.identity, err = newIdentity(); err != nil {
			return nil, err
		}
	}
	if c.election, err = o.election.Election(); err != nil {
		return nil, err
	}
	lock, err := o.election.Lock()
	if err != nil {
		return nil, err
	}
	lock.Meter = &c.lock
	c.election.Lock, err = resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.election.ResourceNamespace, o.election.ResourceName,
		resourcelock.ResourceLockConfig{Identity: c.identity}, config, lock)
	if err != nil {
		return nil, err
	}
	witnesses, err := o.election.Witnesses(config)
	if err != nil {
		return nil, err
	}
	// What works is the program, and the kernel ends that only after elect. So the
	// kernel's word on elect proves nothing; a container that has ended leaves nothing.
	c.election.Witnesses = slices.DeleteFunc(witnesses, func(w witness.Witness) bool { return w.Name() == witness.Process{}.Name() })
	if o.labelValue == "" {
		return c, nil
	}
	hardened, err := dialer.HardenTraffic(config, c.election.RenewDeadline, dialer.WithMeter(&c.traffic))
	if err != nil {
		return nil, fmt.Errorf("hardening the connections for the label: %w", err)
	}
	client, err := kubernetes.NewForConfig(hardened)
	if err != nil {
		return nil, fmt.Errorf("building the client for the label: %w", err)
	}
	if os.Getenv("POD_NAME") == "" || os.Getenv("POD_NAMESPACE") == "" {
		return nil, errors.New("-pod-label: POD_NAME and POD_NAMESPACE must be set in the environment, from metadata.name and metadata.namespace (the downward API)")
	}
	c.label, err = podlabel.New(podlabel.Config{
		Pods: client.CoreV1().Pods(os.Getenv("POD_NAMESPACE")),
		Pod:  os.Getenv("POD_NAME"), UID: types.UID(os.Getenv("POD_UID")),
		Key: o.labelKey, Value: o.labelValue,
	})
	if err != nil {
		return nil, fmt.Errorf("-pod-label: %w", err)
	}
	return c, nil
}

// newIdentity returns the Pod's identity, so that a fence may know it, or one of the
// host.
func newIdentity() (string, error) {
	identity, err := fence.OwnIdentity()
	if err == nil || !errors.Is(err, fence.ErrNoPod) {
		return identity, err
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("asking for the host name, which is part of the identity: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
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
