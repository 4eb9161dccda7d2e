package hosts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/examples/controller/hosts"
)

const domain = "example.internal"

var dawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type option func(*corev1.Service)

func service(namespace, name, ip string, options ...option) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(dawn)},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip}},
	}
	for _, o := range options {
		o(s)
	}
	return s
}

func asking(names string) option {
	return func(s *corev1.Service) { s.Annotations = map[string]string{hosts.NamesAnnotation: names} }
}

func younger(by time.Duration) option {
	return func(s *corev1.Service) { s.CreationTimestamp = metav1.NewTime(dawn.Add(by)) }
}

func TestBuild(t *testing.T) {
	long := strings.Repeat("a", 64)
	cases := map[string]struct {
		services []*corev1.Service
		lines    []string
		problems []string // namespace/name reason
	}{
		"nothing to publish is an empty block": {},
		"lines are sorted by name whatever the order of the Services": {
			services: []*corev1.Service{service("shop", "web", "10.0.0.2"), service("shop", "db", "10.0.0.9"), service("auth", "web", "10.0.0.3")},
			lines: []string{
				"10.0.0.9 db.shop.example.internal",
				"10.0.0.3 web.auth.example.internal",
				"10.0.0.2 web.shop.example.internal",
			},
		},
		"a dual-stack Service has a line for each address, IPv4 first": {
			services: []*corev1.Service{service("shop", "web", "fd00::7", func(s *corev1.Service) {
				s.Spec.ClusterIPs = []string{"fd00::7", "10.0.0.7"}
			})},
			lines: []string{"10.0.0.7 web.shop.example.internal", "fd00::7 web.shop.example.internal"},
		},
		"an address is published once": {
			services: []*corev1.Service{service("shop", "web", "10.0.0.7", func(s *corev1.Service) {
				s.Spec.ClusterIPs = []string{"10.0.0.7", "10.0.0.7"}
			})},
			lines: []string{"10.0.0.7 web.shop.example.internal"},
		},
		"a Service that only has the singular field is published": {
			services: []*corev1.Service{service("shop", "web", "10.0.0.7", func(s *corev1.Service) { s.Spec.ClusterIPs = nil })},
			lines:    []string{"10.0.0.7 web.shop.example.internal"},
		},
		"headless, external and address-less Services are left out": {
			services: []*corev1.Service{
				service("shop", "headless", corev1.ClusterIPNone),
				service("shop", "external", "", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName; s.Spec.ClusterIPs = nil }),
				service("shop", "pending", "", func(s *corev1.Service) { s.Spec.ClusterIPs = nil }),
				service("shop", "broken", "10.0.0.300"),
				service("shop", "web", "10.0.0.1"),
			},
			lines: []string{"10.0.0.1 web.shop.example.internal"},
			problems: []string{
				"shop/broken NoClusterIP", "shop/external NoClusterIP", "shop/headless NoClusterIP", "shop/pending NoClusterIP",
			},
		},
		"extra names follow the first, each once": {
			services: []*corev1.Service{service("shop", "web", "10.0.0.1", asking("www.example.internal, api.example.internal\nwww.example.internal,,web.shop.example.internal"))},
			lines:    []string{"10.0.0.1 web.shop.example.internal api.example.internal www.example.internal"},
		},
		"a bad extra name costs the Service that name only": {
			services: []*corev1.Service{service("shop", "web", "10.0.0.1", asking("UPPER.example.internal,dot.example.internal.,a_b.example.internal,"+long+".example.internal,www.example.internal,}"))},
			lines:    []string{"10.0.0.1 web.shop.example.internal www.example.internal"},
			problems: []string{
				"shop/web InvalidName", "shop/web InvalidName", "shop/web InvalidName", "shop/web InvalidName", "shop/web InvalidName",
			},
		},
		"names outside of the domain cannot be taken": {
			services: []*corev1.Service{service("shop", "web", "10.0.0.1", asking("kubernetes.default.svc.cluster.local,notexample.internal,example.internal"))},
			lines:    []string{"10.0.0.1 web.shop.example.internal"},
			problems: []string{"shop/web ForeignName", "shop/web ForeignName", "shop/web ForeignName"},
		},
		"the name of a Service cannot be asked for by an older one": {
			services: []*corev1.Service{
				service("shop", "web", "10.0.0.1", asking("db.prod.example.internal")),
				service("prod", "db", "10.0.0.2", younger(time.Hour)),
			},
			lines:    []string{"10.0.0.2 db.prod.example.internal", "10.0.0.1 web.shop.example.internal"},
			problems: []string{"shop/web NameTaken"},
		},
		"a name asked for twice stays with the older Service": {
			services: []*corev1.Service{
				service("auth", "new", "10.0.0.1", asking("www.example.internal"), younger(time.Second)),
				service("shop", "old", "10.0.0.2", asking("www.example.internal")),
			},
			lines:    []string{"10.0.0.1 new.auth.example.internal", "10.0.0.2 old.shop.example.internal www.example.internal"},
			problems: []string{"auth/new NameTaken"},
		},
		"a Service whose own name is no DNS name is left out": {
			services: []*corev1.Service{service("shop", "web\n}", "10.0.0.1")},
			problems: []string{"shop/web\n} InvalidName"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			table := hosts.Build(c.services, domain)
			assert.Equal(t, c.lines, linesOf(t, table.Block()))
			var problems []string
			for _, p := range table.Problems {
				problems = append(problems, p.Service.Namespace+"/"+p.Service.Name+" "+p.Reason)
				assert.NotEmpty(t, p.Message)
			}
			assert.Equal(t, c.problems, problems)

			for i, j := 0, len(c.services)-1; i < j; i, j = i+1, j-1 {
				c.services[i], c.services[j] = c.services[j], c.services[i]
			}
			assert.Equal(t, table, hosts.Build(c.services, domain), "the order of the Services must not matter")
		})
	}
}

// linesOf returns the lines between the brace and "fallthrough", without
// indentation, and fails when the frame around them is not as it has to be.
func linesOf(t *testing.T, block string) []string {
	t.Helper()
	body, opened := strings.CutPrefix(block, "hosts {\n")
	body, closed := strings.CutSuffix(body, "    fallthrough\n}\n")
	if !opened || !closed {
		t.Fatalf("no hosts block:\n%s", block)
	}
	var lines []string
	for line := range strings.Lines(body) {
		lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(line, "    "), "\n"))
	}
	return lines
}
