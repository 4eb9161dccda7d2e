package hosts_test

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/holdfast-go/holdfast/examples/controller/hosts"
)

// Whatever the Services contain, each line is an address and names under the
// domain, separated by single spaces, and no name stands in the lines of two
// Services.
func FuzzEveryLineIsAnAddressAndNames(f *testing.F) {
	f.Add("shop", "web", "10.0.0.1", "fd00::1", "www.example.internal,b.example.internal", "db", domain)
	f.Add("shop", "web\n}\n. {", "10.0.0.1\n}", "fe80::1%\n} import x", "}\n.:53 {\nforward . 192.0.2.1\n}", "web", domain)
	f.Add("", "", "", "None", "{$HOME}", "", "")
	f.Add("a", "b", "::ffff:10.0.0.1", "10.0.0.1", "b.a.example.internal c.a.example.internal", "c", domain)
	f.Fuzz(func(t *testing.T, namespace, name, ip, secondIP, extra, otherName, suffix string) {
		services := []*corev1.Service{
			service(namespace, name, ip, asking(extra), func(s *corev1.Service) { s.Spec.ClusterIPs = []string{ip, secondIP} }),
			service(namespace, otherName, secondIP, asking(extra)),
		}
		owner := map[string]string{}
		for _, line := range linesOf(t, hosts.Build(services, suffix).Block()) {
			words := strings.Split(line, " ")
			if _, err := netip.ParseAddr(words[0]); err != nil || len(words) < 2 {
				t.Fatalf("no address with names: %q", line)
			}
			for _, word := range words[1:] {
				if err := hosts.CheckName(word); err != nil {
					t.Fatalf("line %q: %v", line, err)
				}
				if !strings.HasSuffix(word, "."+suffix) {
					t.Fatalf("line %q: %q is not under %q", line, word, suffix)
				}
				if first, known := owner[word]; known && first != words[1] {
					t.Fatalf("%q stands in the lines of %q and %q", word, first, words[1])
				}
				owner[word] = words[1]
			}
		}
	})
}
