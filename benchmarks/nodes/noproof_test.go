package nodes

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
)

// In these tests all that a witness could take for a death is seen while the process
// lives, or nothing at all is seen of one that has died. Nobody may lead before the
// lease has ended, and no two may work at once.

// act is a leader on the left node and a standby on the right one.
type act struct {
	scene
	t    *testing.T
	ctx  context.Context
	s    *Stage
	play *Play
	left *node.Node
}

func newAct(t *testing.T) *act {
	t.Helper()
	a := &act{t: t, ctx: bounded(t), s: theStage(t)}
	a.left = a.s.Nodes[0]
	a.play = a.s.NewPlay("pod", waiting)
	var err error
	a.scene, err = a.play.pair(a.ctx, Member{Deaf: true, Grace: 1})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		assert.NoError(t, a.process.Close())
		assert.NoError(t, a.play.Verdict())
		assert.NoError(t, a.play.End(ctx))
	})
	return a
}

// livesOn is that the leader goes on leading, and nobody else leads.
func (a *act) livesOn() {
	a.t.Helper()
	require.NoError(a.t, a.play.Renewed(a.ctx, a.leader.Who, 4))
	require.Zero(a.t, a.process.Died(), "it should live")
	all, err := a.s.diaries(a.play.name)
	require.NoError(a.t, err)
	for _, d := range all {
		assert.True(a.t, d.Who == a.leader.Who || len(d.Terms) == 0, "%s led beside %s", d.Who, a.leader.Who)
	}
}

// succeeded is that somebody has led, and not early.
func (a *act) succeeded() Diary {
	a.t.Helper()
	next, err := a.play.Leads(a.ctx, a.leader.Who)
	require.NoError(a.t, err)
	assert.NoError(a.t, a.play.NotEarly())
	end := LeaseEnd(a.s.leases.of(a.play.name), a.leader.Who)
	a.t.Logf("figure: %s led %s after the end of the lease", next.Who, next.Terms[0].From.Sub(end).Round(time.Millisecond))
	return next
}

// reported waits until the kubelet says that the container has ended, and returns what it
// says.
func (a *act) reported() (state *corev1.ContainerStateTerminated) {
	require.NoError(a.t, until(a.ctx, "the container to be reported as ended", func() (bool, error) {
		pod, err := a.current()
		if err != nil || len(pod.Status.ContainerStatuses) == 0 {
			return false, err
		}
		c := pod.Status.ContainerStatuses[0]
		state = cmp.Or(c.State.Terminated, c.LastTerminationState.Terminated)
		return state != nil, nil
	}))
	a.t.Logf("reported: %s, exit code %d, container %q, message %q", state.Reason, state.ExitCode, state.ContainerID, state.Message)
	return state
}

// current is the leader's Pod as the API shows it now.
func (a *act) current() (*corev1.Pod, error) {
	return a.s.api.CoreV1().Pods(namespace).Get(a.ctx, a.pod.Name, metav1.GetOptions{})
}

func TestADeletionByForceProvesNothing(t *testing.T) {
	a := newAct(t)
	now := int64(0)
	require.NoError(t, a.s.api.CoreV1().Pods(namespace).Delete(a.ctx, a.pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	_, err := a.current()
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	gone := time.Now()
	assert.Zero(t, a.process.Died(), "the Pod is gone, the process is not")
	<-a.process.Done()
	t.Logf("figure: the process lived %s longer than its Pod", a.process.Died().Sub(gone).Round(time.Millisecond))
	a.succeeded()
}

// What controllers write of a node that they do not hear of.
func TestWhatControllersWriteProvesNothing(t *testing.T) {
	a := newAct(t)
	require.NoError(t, a.left.Freeze(node.Kubelet))
	defer func() { require.NoError(t, a.left.Resume(node.Kubelet)) }()
	for _, status := range []string{
		`{"status":{"conditions":[{"type":"Ready","status":"False","reason":"NodeNotReady"}]}}`,
		`{"status":{"conditions":[{"type":"DisruptionTarget","status":"True","reason":"DeletionByPodGC"}]}}`,
		`{"status":{"phase":"Failed","reason":"NodeLost"}}`,
	} {
		_, err := a.s.api.CoreV1().Pods(namespace).Patch(a.ctx, a.pod.Name, types.StrategicMergePatchType, []byte(status), metav1.PatchOptions{}, "status")
		require.NoError(t, err)
	}
	pod, err := a.current()
	require.NoError(t, err)
	require.Equal(t, corev1.PodFailed, pod.Status.Phase)
	a.livesOn()
	// A Pod that has failed needs no kubelet to go. Its token is worth nothing then, and
	// the leader gives up by itself before its lease has ended.
	require.NoError(t, a.s.api.CoreV1().Pods(namespace).Delete(a.ctx, a.pod.Name, metav1.DeleteOptions{}))
	_, err = a.current()
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	require.Zero(t, a.process.Died(), "it should live")
	a.succeeded()
}

func TestADeathThatTheKubeletDoesNotSeeProvesNothing(t *testing.T) {
	a := newAct(t)
	require.NoError(t, a.left.Freeze(node.Kubelet))
	defer func() { require.NoError(t, a.left.Resume(node.Kubelet)) }()
	require.NoError(t, a.process.Kill())
	a.succeeded()
}

func TestANodeWithoutPowerProvesNothing(t *testing.T) {
	a := newAct(t)
	require.NoError(t, a.left.PowerOff())
	<-a.process.Done()
	next := a.succeeded()
	require.NoError(t, a.left.PowerOn(a.ctx))
	_, err := a.s.untilRuns(a.ctx, namespace, a.pod.Name)
	require.NoError(t, err)
	require.NoError(t, a.play.Renewed(a.ctx, next.Who, 2))
}

func TestANodeThatIsCutOffProvesNothing(t *testing.T) {
	a := newAct(t)
	require.NoError(t, a.left.Host().Cut())
	defer func() { require.NoError(t, a.left.Host().Mend()) }()
	next := a.succeeded()
	require.NoError(t, a.left.Host().Mend())
	require.NoError(t, a.play.Renewed(a.ctx, next.Who, 2))
}

// The kubelet is away while nobody dies.
func TestAKubeletThatIsRestartedProvesNothing(t *testing.T) {
	a := newAct(t)
	require.NoError(t, a.left.Kill(node.Kubelet))
	a.livesOn()
	require.NoError(t, a.left.Kill(node.Containerd))
	a.livesOn()
}

// containerd makes up an exit code for a container whose state it has lost. The
// process lives on, beside the one that is started in its place.
func TestAnExitCodeThatTheRuntimeMadeUpProvesNothing(t *testing.T) {
	a := newAct(t)
	require.NoError(t, a.left.Stop(node.Containerd))
	bundle, err := a.left.Bundle(a.pod.Status.ContainerStatuses[0].ContainerID)
	require.NoError(t, err)
	require.NoError(t, os.Rename(bundle, filepath.Join(filepath.Dir(filepath.Dir(bundle)), "lost-"+filepath.Base(bundle))))
	require.NoError(t, a.left.Resume(node.Containerd))
	state := a.reported()
	assert.EqualValues(t, 255, state.ExitCode)
	assert.Contains(t, state.Message, "holdfast-witness ", "it is the word of the living")
	require.Zero(t, a.process.Died(), "it should live")
	require.NoError(t, until(a.ctx, "another process in its place", func() (bool, error) {
		all, err := a.s.diaries(a.play.name)
		return len(all) == 3, err
	}))
	a.livesOn()
	require.NoError(t, a.process.Kill())
	next, err := a.play.Leads(a.ctx, a.leader.Who)
	require.NoError(t, err)
	t.Logf("figure: %s led %s after the death that its kernel saw", next.Who, next.Terms[0].From.Sub(a.process.Died()).Round(time.Millisecond))
}

// The kubelet says ContainerStatusUnknown of a container that the runtime does not know
// any more. The process lives on.
func TestAContainerThatTheKubeletHasLostProvesNothing(t *testing.T) {
	a := newAct(t)
	require.NoError(t, a.left.Stop(node.Kubelet))
	require.NoError(t, a.left.LoseContainers())
	require.NoError(t, a.left.Resume(node.Kubelet))
	defer func() { // it has no images any more
		require.NoError(t, a.left.PowerOff())
		require.NoError(t, a.left.PowerOn(a.ctx))
	}()
	assert.Equal(t, "ContainerStatusUnknown", a.reported().Reason)
	a.livesOn()
}

func TestAShimThatIsKilledProvesNothing(t *testing.T) {
	a := newAct(t)
	shims, err := a.left.Shims(a.pod.UID)
	require.NoError(t, err)
	require.NotEmpty(t, shims)
	for _, shim := range shims {
		require.NoError(t, shim.Kill())
		require.NoError(t, shim.Close())
	}
	a.reported()
	t.Logf("the process of the killed shim is alive: %t", a.process.Died().IsZero())
	if a.process.Died().IsZero() {
		a.livesOn()
		return
	}
	a.succeeded()
}
