package fence

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// guarding returns a fence that is right.
func guarding(resources ...string) Fence {
	f := Fence{
		Lease:          types.NamespacedName{Namespace: "kube-system", Name: "my-controller"},
		ServiceAccount: types.NamespacedName{Name: "my-account"},
	}
	for _, text := range resources {
		r, err := ParseResource(text)
		if err != nil {
			panic(err)
		}
		f.Resources = append(f.Resources, r)
	}
	return f
}

func TestWhatIsWrongWithAFenceIsNamed(t *testing.T) {
	require.NoError(t, guarding("configmaps").Validate())
	for name, c := range map[string]struct {
		change func(*Fence)
		says   string
	}{
		"no lease":          {func(f *Fence) { f.Lease.Name = "" }, "name of the Lease is missing"},
		"no namespace":      {func(f *Fence) { f.Lease.Namespace = "" }, "namespace of the Lease is missing"},
		"a lease's name":    {func(f *Fence) { f.Lease.Name = "My_Lease" }, `name of the Lease "My_Lease"`},
		"no account":        {func(f *Fence) { f.ServiceAccount.Name = "" }, "name of the ServiceAccount is missing"},
		"a whole user":      {func(f *Fence) { f.ServiceAccount.Name = "system:serviceaccount:a:b" }, `name of the ServiceAccount "system:serviceaccount:a:b"`},
		"no resources":      {func(f *Fence) { f.Resources = nil }, "no resources to guard"},
		"a namespace":       {func(f *Fence) { f.Namespaces = []string{"a.b"} }, `namespace "a.b"`},
		"a negative skew":   {func(f *Fence) { f.ClockSkew = -time.Second }, "clock skew -1s"},
		"a skew of years":   {func(f *Fence) { f.ClockSkew = 1<<63 - 1 }, "must be from 0 to 24h0m0s"},
		"a term on nothing": {func(f *Fence) { f.Term, f.Resources[0].Operations = true, []Operation{Delete} }, "configmaps:delete"},
		"the lease itself":  {func(f *Fence) { f.Resources = []Resource{{Group: "coordination.k8s.io", Name: "leases"}} }, "contenders that do not lead write Leases too"},
		"a lease's status":  {func(f *Fence) { f.Resources = []Resource{{Group: "coordination.k8s.io", Name: "leases/status"}} }, "cannot be fenced"},
		"candidates":        {func(f *Fence) { f.Resources = []Resource{{Group: "coordination.k8s.io", Name: "leasecandidates"}} }, "in order to be elected"},
		"events":            {func(f *Fence) { f.Resources = []Resource{{Name: "events"}} }, "record events too"},
		"events of today":   {func(f *Fence) { f.Resources = []Resource{{Group: "events.k8s.io", Name: "events"}} }, "record events too"},
		"policies":          {func(f *Fence) { f.Resources = []Resource{{Group: group, Name: "mutatingadmissionpolicies"}} }, "exempts policies"},
		"reviews":           {func(f *Fence) { f.Resources = []Resource{{Group: "authentication.k8s.io", Name: "tokenreviews"}} }, "answered, not kept"},
		"everything":        {func(f *Fence) { f.Resources = []Resource{{Group: "*", Name: "*"}} }, "must be named"},
		"all of a group":    {func(f *Fence) { f.Resources = []Resource{{Group: "apps", Name: "*"}} }, "must be named"},
		"all subresources":  {func(f *Fence) { f.Resources = []Resource{{Name: "pods/*"}} }, "must be named"},
		"an unknown verb":   {func(f *Fence) { f.Resources[0].Operations = []Operation{"patch"} }, `operation "patch": must be one of create, update (patch too)`},
		"no name":           {func(f *Fence) { f.Resources[0].Name = "" }, "must be NAME.GROUP"},
		"no group":          {func(f *Fence) { f.Resources[0].Name = "deployments" }, "the core group has no deployments: must be NAME.GROUP"},
		"a singular":        {func(f *Fence) { f.Resources[0].Name = "configmap" }, "the core group has no configmap"},
		"the core's name":   {func(f *Fence) { f.Resources[0].Group = "core" }, `resource "configmaps.core": the core group is left out`},
		"a version":         {func(f *Fence) { f.Resources = []Resource{{Group: "v1.apps", Name: "deployments"}} }, `group "v1.apps" begins with a version`},
		"a core version":    {func(f *Fence) { f.Resources[0].Group = "v1" }, `group "v1" begins with a version`},
		"no such group":     {func(f *Fence) { f.Resources = []Resource{{Group: "app", Name: "deployments"}} }, `there is no group "app": must be one with a dot, or one of apps,`},
		"create of exec":    {func(f *Fence) { f.Resources = []Resource{{Name: "pods/exec", Operations: []Operation{Create}}} }, `operation "create": would guard nothing, since it is written by connect`},
		"delete of scale": {func(f *Fence) {
			f.Resources = []Resource{{Group: "apps", Name: "deployments/scale", Operations: []Operation{Update, Delete}}}
		}, `operation "delete": would guard nothing, since it is written by update`},
		"update of eviction": {func(f *Fence) { f.Resources = []Resource{{Name: "pods/eviction", Operations: []Operation{Update}}} }, "since it is written by create"},
		"connect to objects": {func(f *Fence) { f.Resources[0].Operations = []Operation{Connect} }, "since it is written by create, update, delete"},
		"logs":               {func(f *Fence) { f.Resources[0].Name = "pods/log" }, "it is only read"},
		"a kind, no plural":  {func(f *Fence) { f.Resources[0].Name = "ConfigMap" }, `resource "ConfigMap"`},
		"two slashes":        {func(f *Fence) { f.Resources[0].Name = "pods/a/b" }, "must be NAME.GROUP"},
		"nothing after that": {func(f *Fence) { f.Resources[0].Name = "pods/" }, "must be NAME.GROUP"},
	} {
		t.Run(name, func(t *testing.T) {
			f := guarding("configmaps")
			c.change(&f)
			require.ErrorContains(t, f.Validate(), c.says)
			_, err := f.Objects()
			require.ErrorContains(t, err, c.says)
			_, err = f.YAML()
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	err := Fence{}.Validate()
	for _, says := range []string{"namespace of the Lease", "name of the Lease", "name of the ServiceAccount", "no resources"} {
		require.ErrorContains(t, err, says)
	}
}

func TestWhatAFenceDoesNotCoverIsSaid(t *testing.T) {
	warnings := func(f Fence) string { return strings.Join(f.Warnings(), "\n") }
	f := guarding("configmaps:create,update")
	assert.Len(t, f.Warnings(), 2)
	assert.Contains(t, warnings(f), "only requests as system:serviceaccount:kube-system:my-account are fenced")
	assert.Contains(t, warnings(f), "do not lead is refused too, as system:serviceaccount:kube-system:my-account, to configmaps:create,update")
	assert.Contains(t, warnings(guarding("configmaps")), "configmaps: delete and connect")
	assert.NotContains(t, warnings(f), "by name")
	f.ByName, f.Namespaces = true, []string{"a", "b"}
	assert.Contains(t, warnings(f), "does not begin with the name of its Pod")
	assert.Contains(t, warnings(f), "passes for it")
	assert.Contains(t, warnings(f), "outside of a, b nothing is fenced but what is in no namespace")
	assert.Contains(t, warnings(guarding("pods/status")), "pods/status: a contender that has lost the lease cannot take the leader's label off")
	assert.NotContains(t, warnings(guarding("pods")), "label")
	assert.Contains(t, warnings(guarding("pods/binding")), "list bindings as well")
	assert.Contains(t, warnings(guarding("bindings")), "list pods/binding as well")
	assert.Contains(t, warnings(guarding("bindings")), "bindings: refused after a takeover, but not for the expiry")
	assert.NotContains(t, warnings(guarding("bindings", "pods/binding")), "as well")
	assert.Contains(t, warnings(guarding("widgets.example.com/status")), "widgets.example.com/status: fenced if a CustomResourceDefinition defines widgets")
	assert.Contains(t, warnings(guarding("deployment.apps")), "deployment.apps: nothing is fenced if the group apps has no deployment; known are controllerrevisions,")
	assert.NotContains(t, warnings(guarding("jobs.batch/status")), "known are")
	assert.NotContains(t, warnings(guarding("ingresses.networking.k8s.io")), "CustomResourceDefinition")

	scale := guarding("deployments.apps/scale", "configmaps")
	assert.Contains(t, warnings(scale), "deployments.apps/scale: refused after a takeover")
	scale.NoExpiry = true
	assert.NotContains(t, warnings(scale), "expiry")
	scale.Term = true
	assert.Contains(t, warnings(scale), "deployments.apps/scale: the term is not stamped")
	assert.Contains(t, warnings(scale), TermAnnotation)
}

func TestResourcesAreReadAsKubectlWritesThem(t *testing.T) {
	for text, want := range map[string]Resource{
		"pods":                              {Name: "pods"},
		"pods/eviction":                     {Name: "pods/eviction"},
		"deployments.apps":                  {Group: "apps", Name: "deployments"},
		"deployments.apps/scale:update":     {Group: "apps", Name: "deployments/scale", Operations: []Operation{Update}},
		"widgets.example.com:create,delete": {Group: "example.com", Name: "widgets", Operations: []Operation{Create, Delete}},
		"widgets.example.com/start:connect": {Group: "example.com", Name: "widgets/start", Operations: []Operation{Connect}},
	} {
		got, err := ParseResource(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, text, got.String())
	}
	for _, text := range []string{"", "pods:", "pods:create,", "pods/", ".apps", "deployments.", "a b", "*", "*.*", "pods:list", "deployments.v1.apps:scale", "é"} {
		_, err := ParseResource(text)
		assert.Error(t, err, text)
	}
}

func TestWhatASubresourceIsWrittenByIsGuarded(t *testing.T) {
	for text, want := range map[string][]Operation{
		"pods": {Create, Update, Delete}, "deployments.apps/scale": {Update}, "pods/status": {Update}, "pods/eviction": {Create},
		"pods/binding": {Create}, "serviceaccounts/token": {Create}, "pods/exec": {Connect}, "nodes/proxy": {Connect},
		"widgets.example.com/start": {Create, Update, Delete, Connect}, "pods/exec:connect": {Connect}, "pods:delete": {Delete},
	} {
		r, err := ParseResource(text)
		require.NoError(t, err)
		assert.Equal(t, want, r.guarded(), text)
	}
}

func FuzzParseResource(f *testing.F) {
	for _, text := range []string{"pods", "deployments.apps/scale:update,delete", "a.b.c/d", "::", "//", "..", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseResource(text)
		if err != nil {
			return
		}
		again, err := ParseResource(r.String())
		require.NoError(t, err, r.String())
		require.Equal(t, r, again)
		fence := guarding()
		fence.Resources = []Resource{r}
		_, err = fence.YAML()
		require.NoError(t, err)
	})
}
