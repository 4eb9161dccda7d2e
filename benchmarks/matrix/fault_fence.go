package matrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// deposals are takeovers that a leader does not know of yet.
func deposals() []Fault {
	return []Fault{{
		Name: "deposed", Text: "another takes the lease of a leader that is well, whose work writes on through every server past all guards; a fence guards what it writes", by: toServers,
		Network: NetworkCondition{Deposed: true},
		only:    Role.leads,
		ready:   (*play).fenceOff,
		toEach:  (*play).depose,
	}}
}

// workEvery is the pace of the work of a leader that is deposed, and of that of who
// takes over.
const workEvery = 50 * time.Millisecond

// The verbs of the work's writes.
const (
	verbOld = "old leader's write"
	verbNew = "new leader's write"
)

// fenceOff has the API servers guard what each leader's work writes, and begins the
// work: a fence by name for a ServiceAccount of each column's own, since the
// identities are names. The Pods run nowhere; their tokens are all that counts.
func (p *play) fenceOff() error {
	ctx, cancel := context.WithTimeout(p.ctx, startBound)
	defer cancel()
	for _, c := range p.contestants {
		f := fence.Fence{
			Lease:          types.NamespacedName{Namespace: namespace, Name: c.object},
			ServiceAccount: types.NamespacedName{Name: c.object},
			Resources:      []fence.Resource{{Name: "configmaps"}},
			Namespaces:     []string{namespace},
			ByName:         true,
		}
		if err := p.stage.fenced(ctx, c, f); err != nil {
			return fmt.Errorf("fence %s: %w", c, err)
		}
		for who, verb := range map[string]string{c.name(): verbOld, c.usurper(): verbNew} {
			for i := range p.stage.servers {
				client, err := p.stage.bound(ctx, i, c.object, who)
				if err != nil {
					return fmt.Errorf("clients of Pod %s: %w", who, err)
				}
				if err := p.stage.refusesTheUnbound(ctx, i, f); err != nil {
					return err
				}
				p.Tasks.Go(func() { p.work(client, i, c, f.Lease, verb) })
			}
		}
	}
	return nil
}

// usurper is the identity of who takes the lease of a column.
func (c Column) usurper() string { return c.name() + "-usurper" }

// fenced makes all that a fence needs of the cluster, and then the fence.
func (s *Stage) fenced(ctx context.Context, c *contestant, f fence.Fence) error {
	account := f.ServiceAccount.Name
	objects := []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects:   []rbacv1.Subject{stage.Account(namespace, account)},
		},
		worked(c.object), worked(c.object + "-next"),
	}
	policies, err := f.Objects()
	if err != nil {
		return err
	}
	for _, policy := range policies {
		objects = append(objects, policy.(client.Object)) // as every object of the API is
	}
	return errors.Join(s.pod(ctx, c.name(), account), s.pod(ctx, c.usurper(), account), stage.Make(ctx, s.config, objects...))
}

// worked is what the work writes. It is never empty.
func worked(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{"at": time.Now().String()}}
}

// pod makes a Pod of an account, in the place of that of an earlier play.
func (s *Stage) pod(ctx context.Context, name, account string) error {
	pods := s.observer.CoreV1().Pods(namespace)
	if err := pods.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0))}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	_, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			ServiceAccountName: account, AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{Name: "it", Image: "none"}},
		},
	}, metav1.CreateOptions{})
	return err
}

// bound is a client of an API server with a token of the account that is bound to
// the Pod, to none if the name is empty.
func (s *Stage) bound(ctx context.Context, server int, account, pod string) (kubernetes.Interface, error) {
	request := &authenticationv1.TokenRequest{}
	if pod != "" {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod}
	}
	token, err := s.observer.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	_, config, err := s.lab.Observer(server)
	if err != nil {
		return nil, err
	}
	config = rest.AnonymousClientConfig(config)
	config.BearerToken, config.QPS = token.Status.Token, -1
	return kubernetes.NewForConfig(config)
}

// refusesTheUnbound waits until an API server goes by a fence: it refuses a token
// that is bound to no Pod.
func (s *Stage) refusesTheUnbound(ctx context.Context, server int, f fence.Fence) error {
	client, err := s.bound(ctx, server, f.ServiceAccount.Name, "")
	if err != nil {
		return err
	}
	for {
		_, err := client.CoreV1().ConfigMaps(namespace).Update(ctx, worked(f.ServiceAccount.Name), metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
		if fence.Refused(err, f.Lease) {
			return nil
		}
		if stage.Pause(ctx, workEvery); ctx.Err() != nil {
			return fmt.Errorf("API server %d does not go by the fence: %w", server, err)
		}
	}
}

// work writes through one API server until the end of the play, and says what becomes
// of each write.
func (p *play) work(client kubernetes.Interface, server int, c *contestant, lease types.NamespacedName, verb string) {
	object := c.object
	if verb == verbNew {
		object += "-next"
	}
	for ; p.ctx.Err() == nil; stage.Pause(p.ctx, workEvery) {
		sent := time.Now()
		_, err := client.CoreV1().ConfigMaps(namespace).Update(p.ctx, worked(object), metav1.UpdateOptions{})
		e := event.Event{Who: c.name(), What: event.Answered, On: p.stage.servers[server].String(), Verb: verb, Took: time.Since(sent)}
		switch {
		case p.ctx.Err() != nil:
			return
		case fence.Refused(err, lease):
			e.What = event.Refused
		case apierrors.IsConflict(err):
			continue // the writes through the other servers are to the same object
		case err != nil:
			e.What, e.Reason = event.Failed, err.Error()
		}
		p.Append(e)
	}
}

// depose has the usurper take the lease of one column.
func (p *play) depose(c *contestant) error {
	leases := p.stage.observer.CoordinationV1().Leases(namespace)
	for {
		lease, err := leases.Get(p.ctx, c.object, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now := metav1.NewMicroTime(time.Now())
		lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.AcquireTime = ptr.To(c.usurper()), &now, &now
		lease.Spec.LeaseDurationSeconds = changedLease(0).LeaseDurationSeconds // nobody renews it
		lease.Spec.LeaseTransitions = ptr.To(ptr.Deref(lease.Spec.LeaseTransitions, 0) + 1)
		_, err = leases.Update(p.ctx, lease, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			continue // with a renewal
		}
		if err == nil {
			p.Append(event.Event{Who: stage.Narrator, What: event.Fault, On: c.name(), Reason: p.fault.Name})
		}
		return err
	}
}
