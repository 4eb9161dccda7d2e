package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// faults are what may go on around a crash; each returns what ends it.
var faults = map[string]func(s *Stage, n *node.Node) (end func() error, err error){
	"nothing": func(*Stage, *node.Node) (func() error, error) { return func() error { return nil }, nil },
	"a frozen kubelet": func(_ *Stage, n *node.Node) (func() error, error) {
		return func() error { return n.Resume(node.Kubelet) }, n.Freeze(node.Kubelet)
	},
	"a killed kubelet": func(_ *Stage, n *node.Node) (func() error, error) {
		return func() error { return nil }, n.Kill(node.Kubelet)
	},
	"a killed containerd": func(_ *Stage, n *node.Node) (func() error, error) {
		return func() error { return nil }, n.Kill(node.Containerd)
	},
	"a node that is cut off": func(_ *Stage, n *node.Node) (func() error, error) {
		return n.Host().Mend, n.Host().Cut()
	},
	"a silent API server": func(s *Stage, _ *node.Node) (func() error, error) {
		a := s.Lab.APIServers()[0]
		return a.Mend, a.Silence()
	},
}

// faultNames are the keys of faults, in an order that a seed can choose from.
var faultNames = []string{"nothing", "a frozen kubelet", "a killed kubelet", "a killed containerd", "a node that is cut off", "a silent API server"}

// Storm crashes the leader of two replicas n times at random moments, with random
// fault on its node, and returns an error if two have ever worked at once. Others are
// the peers of further replicas, and may be none. The seed draws the faults and the
// moments; what comes of them is up to the machine.
func Storm(ctx context.Context, s *Stage, n int, seed uint64, progress io.Writer, others ...string) error {
	random := rand.New(rand.NewPCG(seed, 0))
	p := s.NewPlay("pod", waiting)
	pods := map[string]*corev1.Pod{}
	for i, name := range append([]string{"", ""}, others...) {
		pod, err := p.Start(ctx, Member{Name: fmt.Sprintf("m%d", i), Node: s.Nodes[i%len(s.Nodes)], Peer: name, Grace: 1})
		if err != nil {
			return err
		}
		pods[pod.Name] = pod
	}
	for i := range n {
		var leader Diary
		err := until(ctx, "somebody to work", func() (bool, error) {
			var err error
			leader, err = p.worksNow()
			return leader.Who != "", err
		})
		if err != nil {
			return errors.Join(err, p.Verdict())
		}
		pod := pods[leader.Pod()]
		fault := faultNames[random.IntN(len(faultNames))]
		fmt.Fprintf(progress, "nodes: crash %d of %d: %s, with %s\n", i+1, n, leader.Who, fault)
		if err := s.crash(ctx, pod, fault, random); err != nil {
			return fmt.Errorf("crash %d, with %s: %w", i+1, fault, err)
		}
	}
	return errors.Join(p.Verdict(), p.End(ctx))
}

// crash kills what runs in the Pod amid the fault.
func (s *Stage) crash(ctx context.Context, pod *corev1.Pod, fault string, random *rand.Rand) (err error) {
	upTo := func(most time.Duration) { _ = stage.Pause(ctx, time.Duration(random.Int64N(int64(most)))) }
	upTo(3 * time.Second)
	n, err := s.nodeOf(pod)
	if err != nil {
		return err
	}
	end, err := faults[fault](s, n)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return err
	}
	upTo(time.Second)
	processes, err := n.Processes(pod.UID)
	for _, process := range processes {
		err = errors.Join(err, process.Kill(), process.Close())
	}
	upTo(2 * time.Second)
	return err
}

func (s *Stage) nodeOf(pod *corev1.Pod) (*node.Node, error) {
	for _, n := range s.Nodes {
		if n.Name() == pod.Spec.NodeName {
			return n, nil
		}
	}
	return nil, fmt.Errorf("Pod %s is on no node of the stage", pod.Name)
}

// present is how old the last piece of work of one who works now may be.
const present = 200 * time.Millisecond

// worksNow returns the diary of a process that works, or none.
func (p *Play) worksNow() (Diary, error) {
	for _, n := range p.stage.Nodes {
		paths, err := filepath.Glob(filepath.Join(n.Folder(), p.name+"-*"))
		if err != nil {
			return Diary{}, err
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil || time.Since(info.ModTime()) > present {
				continue
			}
			file, err := os.Open(path)
			if err != nil {
				return Diary{}, err
			}
			d, err := parseDiary(filepath.Base(path), file)
			if err := errors.Join(err, file.Close()); err != nil {
				return Diary{}, err
			}
			if len(d.Terms) > 0 && time.Since(d.Terms[len(d.Terms)-1].To) < present {
				return d, nil
			}
		}
	}
	return Diary{}, nil
}
