package nodes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/markdown"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// A Strategy is how many Pods more and fewer than its replicas a Deployment may have
// while it is rolled (maxSurge, maxUnavailable).
type Strategy struct{ Surge, Unavailable int }

// Careful has no old Pod stopped before a new one is ready, whatever the number of
// replicas: maxUnavailable is 0, and maxSurge a quarter, rounded up, as by default.
func Careful(replicas int) Strategy { return Strategy{Surge: (replicas + 3) / 4} }

// Default is that of a Deployment that says nothing: a quarter more, rounded up, and a
// quarter fewer, rounded down.
func Default(replicas int) Strategy {
	return Strategy{Surge: (replicas + 3) / 4, Unavailable: replicas / 4}
}

// step is how many new Pods are made and how many old ones are deleted now, by how many
// there are and how many of those are ready. Who is being deleted is in none of the
// numbers.
func (s Strategy) step(replicas, old, oldReady, fresh, freshReady int) (create, remove int) {
	create = min(replicas-fresh, replicas+s.Surge-old-fresh)
	remove = min(old, oldReady+freshReady-(replicas-s.Unavailable))
	return max(0, create), max(0, remove)
}

// A Rollout is what one rolling update has cost its election.
type Rollout struct {
	// Changes of leader: how many terms began after the first one.
	Changes int
	// Leaderless is the time without work between the first term and the last one.
	Leaderless time.Duration
	// Events are what happened, for a timeline.
	Events []event.Event
}

// Roll replaces the replicas of one revision by as many of another, as a Deployment of
// that strategy does, and returns what it cost the election. Which of the old Pods goes
// next is drawn, as ReplicaSets draw among Pods of about one age
// (LogarithmicScaleDown). Two that work at once are an error.
func Roll(ctx context.Context, s *Stage, peer string, replicas int, strategy Strategy, timing scenario.Timing, random *rand.Rand) (r Rollout, err error) {
	w := workload{play: s.NewPlay(peer, timing), random: random}
	for range replicas {
		if err := w.create(ctx, "one"); err != nil {
			return r, err
		}
	}
	leader, err := w.play.Leads(ctx)
	if err != nil {
		return r, err
	}
	if err := errors.Join(w.ready(ctx, replicas), w.play.Renewed(ctx, leader.Who, 2)); err != nil {
		return r, err
	}
	w.play.harmed(time.Now(), fmt.Sprintf("%d Pods", replicas), "rolled")
	if err := w.roll(ctx, replicas, strategy); err != nil {
		return r, err
	}
	var last Diary
	if err := until(ctx, w.play.name+": one of the new to lead", func() (bool, error) {
		last, err = w.play.worksNow()
		return strings.HasPrefix(last.Who, w.play.name+"-two-"), err
	}); err != nil {
		return r, err
	}
	if err := w.play.Renewed(ctx, last.Who, 1); err != nil {
		return r, err
	}
	all, err := s.diaries(w.play.name)
	if err != nil {
		return r, err
	}
	r = cost(all)
	if r.Events, err = w.play.Events(ctx); err != nil {
		return r, err
	}
	return r, errors.Join(Overlap(all), w.play.End(ctx))
}

// workload is the Pods of a play, of two revisions.
type workload struct {
	play   *Play
	random *rand.Rand
	made   int
}

// create makes a Pod of that revision, on the nodes in turn.
func (w *workload) create(ctx context.Context, revision string) error {
	nodes := w.play.stage.Nodes
	w.made++
	pod := w.play.pod(Member{Name: fmt.Sprintf("%s-%d", revision, w.made), Node: nodes[w.made%len(nodes)], Grace: 30})
	pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = revision
	_, err := w.play.stage.api.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
	return err
}

// minReady is for how long a new Pod is to be ready before an old one is stopped in its
// place (minReadySeconds). Most Pods take longer than these to be of use, and client-go's
// contenders have the time to ask for a lease that is free.
const minReady = 4 * time.Second

// of returns the names of the Pods of a revision that nobody has deleted, how many of
// them have been ready for that long, and how many Pods of any revision there are.
func (w *workload) of(ctx context.Context, revision string) (names []string, ready, all int, err error) {
	list, err := w.play.stage.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "play=" + w.play.name})
	if err != nil {
		return nil, 0, 0, err
	}
	for _, pod := range list.Items {
		if pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != revision || pod.DeletionTimestamp != nil {
			continue
		}
		names = append(names, pod.Name)
		if slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && time.Since(c.LastTransitionTime.Time) >= minReady
		}) {
			ready++
		}
	}
	return names, ready, len(list.Items), nil
}

// ready waits until n Pods of the first revision are.
func (w *workload) ready(ctx context.Context, n int) error {
	return until(ctx, fmt.Sprintf("%d Pods to be ready", n), func() (bool, error) {
		_, ready, _, err := w.of(ctx, "one")
		return ready == n, err
	})
}

// roll replaces the first revision by the second.
func (w *workload) roll(ctx context.Context, replicas int, strategy Strategy) error {
	pods := w.play.stage.api.CoreV1().Pods(namespace)
	return until(ctx, "the new Pods, and no others", func() (bool, error) {
		old, oldReady, all, err := w.of(ctx, "one")
		if err != nil {
			return false, err
		}
		fresh, freshReady, _, err := w.of(ctx, "two")
		if err != nil {
			return false, err
		}
		create, remove := strategy.step(replicas, len(old), oldReady, len(fresh), freshReady)
		for range create {
			if err := w.create(ctx, "two"); err != nil {
				return false, err
			}
		}
		for range remove {
			i := w.random.IntN(len(old))
			if err := pods.Delete(ctx, old[i], metav1.DeleteOptions{}); err != nil {
				return false, err
			}
			old = slices.Delete(old, i, i+1)
		}
		return freshReady == replicas && all == replicas, nil
	})
}

// cost is what the terms of the diaries say of a rollout.
func cost(diaries []Diary) (r Rollout) {
	var terms []Term
	for _, d := range diaries {
		terms = append(terms, d.Terms...)
	}
	slices.SortFunc(terms, func(a, b Term) int { return a.From.Compare(b.From) })
	for i := 1; i < len(terms); i++ {
		r.Changes++
		r.Leaderless += max(0, terms[i].From.Sub(terms[i-1].To))
	}
	return r
}

// Rollouts are those of one number of replicas with one peer.
type Rollouts []Rollout

// Changes says how often the leader changed.
func (all Rollouts) Changes() stat.Stat[int] {
	var changes []int
	for _, r := range all {
		changes = append(changes, r.Changes)
	}
	return stat.Of(changes)
}

// Leaderless returns the figures of the time without work.
func (all Rollouts) Leaderless() (f Figures) {
	for _, r := range all {
		f = append(f, r.Leaderless)
	}
	return f
}

// A RolloutCase is a row of the table of rollouts.
type RolloutCase struct {
	Name     string
	Replicas int
	Strategy Strategy
	// MostChanges is how often the leader may change with this library; zero where
	// nothing is promised.
	MostChanges int
}

// String is what the table says of it.
func (c RolloutCase) String() string {
	return fmt.Sprintf("%d replicas, maxSurge %d, maxUnavailable %d", c.Replicas, c.Strategy.Surge, c.Strategy.Unavailable)
}

// RolloutCases are two, three and five replicas, of which no old one stops before a new
// one is ready, and five as a Deployment has them by default.
var RolloutCases = []RolloutCase{
	{"rollout-2", 2, Careful(2), 1}, {"rollout-3", 3, Careful(3), 1}, {"rollout-5", 5, Careful(5), 1}, {"rollout-5-default", 5, Default(5), 0},
}

// Rolled are rollouts by their case and by the peer.
type Rolled map[RolloutCase]map[string]Rollouts

// MeasureRollouts plays every case n times with the peers of a plan, one rollout after the
// other. The seed draws which Pods go first. What failed is in the error; the others are
// returned with it.
func MeasureRollouts(ctx context.Context, s *Stage, p Plan, seed uint64) (Rolled, error) {
	rolled := Rolled{}
	random := rand.New(rand.NewPCG(seed, 0))
	var errs []error
	for round := range p.N {
		for _, c := range RolloutCases {
			for _, peer := range p.Peers {
				if ctx.Err() != nil {
					return rolled, errors.Join(append(errs, ctx.Err())...)
				}
				bounded, cancel := context.WithTimeout(ctx, p.Timing.LeaseDuration+3*time.Minute)
				r, err := Roll(bounded, s, peer, c.Replicas, c.Strategy, p.Timing, random)
				cancel()
				errs = append(errs, p.keep(ctx, c.Sample(peer, p.Timing, round+1, r, err)))
				if err != nil {
					errs = append(errs, fmt.Errorf("%s with %s: %w", c, peer, err))
					fmt.Fprintln(p.Progress, "nodes: FAILED:", err)
					continue
				}
				if rolled[c] == nil {
					rolled[c] = map[string]Rollouts{}
				}
				rolled[c][peer] = append(rolled[c][peer], r)
				fmt.Fprintf(p.Progress, "nodes: %s with %s: %d changes, %s without a leader\n", c, peer, r.Changes, r.Leaderless.Round(time.Millisecond))
			}
		}
	}
	return rolled, errors.Join(errs...)
}

// Table is the rollouts as Markdown.
func (m Rolled) Table(peers []string) string {
	head := []string{"rolled"}
	for _, peer := range peers {
		head = append(head, ">"+peer+": changes of leader", ">without one: median", ">worst", ">n")
	}
	var rows [][]string
	for _, c := range RolloutCases {
		row := []string{c.String()}
		for _, peer := range peers {
			of := m[c][peer].Changes()
			changes := strconv.Itoa(of.Min)
			if of.Max > of.Min {
				changes = fmt.Sprintf("%d … %d", of.Min, of.Max)
			}
			row = append(append(row, changes), m[c][peer].Leaderless().cells()...)
		}
		rows = append(rows, row)
	}
	return markdown.Table(head, rows)
}
