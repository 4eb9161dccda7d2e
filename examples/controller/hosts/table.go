package hosts

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Entry is one line of the block: an address and its names, of which there is
// at least one. The name by namespace and Service comes first.
type Entry struct {
	Address netip.Addr
	Names   []string
}

// Table is what Build makes of Services.
type Table struct {
	// Entries are sorted by first name, then by address, IPv4 first.
	Entries []Entry
	// Problems are sorted by Service.
	Problems []Problem
}

// Build makes the Table of services under domain. It changes none of them.
func Build(services []*corev1.Service, domain string) Table {
	var table Table
	addresses := map[*corev1.Service][]netip.Addr{}
	owners := registry{}

	// Names by namespace and Service are settled before any extra name is given
	// out, so that nobody can ask for the name of another Service.
	services = slices.SortedFunc(slices.Values(services), byAge)
	services = slices.DeleteFunc(services, func(service *corev1.Service) bool {
		var err error
		if addresses[service], err = clusterIPs(service); err != nil {
			table.report(service, ReasonNoClusterIP, "not published: "+err.Error())
			return true
		}
		name := canonical(service, domain)
		if err := CheckName(name); err != nil {
			table.report(service, ReasonInvalidName, "not published: "+err.Error())
			return true
		}
		return owners.claim(name, service) != service
	})
	for _, service := range services {
		names := table.names(service, domain, owners)
		for _, address := range addresses[service] {
			table.Entries = append(table.Entries, Entry{Address: address, Names: names})
		}
	}

	slices.SortFunc(table.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Names[0], b.Names[0]), a.Address.Compare(b.Address))
	})
	sortProblems(table.Problems)
	return table
}

// names returns the names that service gets and reports those it does not get.
func (t *Table) names(service *corev1.Service, domain string, owners registry) []string {
	names := []string{canonical(service, domain)}
	for _, name := range asked(service) {
		if name == names[0] {
			continue
		}
		if err := CheckName(name); err != nil {
			t.report(service, ReasonInvalidName, fmt.Sprintf("name left out: %v (annotation %s)", err, NamesAnnotation))
			continue
		}
		if !strings.HasSuffix(name, "."+domain) {
			t.report(service, ReasonForeignName, fmt.Sprintf("name left out: %q does not end in %q (annotation %s)", name, "."+domain, NamesAnnotation))
			continue
		}
		if holder := owners.claim(name, service); holder != service {
			t.report(service, ReasonNameTaken, fmt.Sprintf("name left out: %q belongs to Service %s/%s", name, holder.Namespace, holder.Name))
			continue
		}
		names = append(names, name)
	}
	return names
}

func (t *Table) report(service *corev1.Service, reason, message string) {
	t.Problems = append(t.Problems, Problem{Service: service, Reason: reason, Message: message})
}

// clusterIPs returns the virtual addresses of service, or an error that says
// why it has none.
func clusterIPs(service *corev1.Service) ([]netip.Addr, error) {
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil, fmt.Errorf("a Service of type %s has no cluster IP", corev1.ServiceTypeExternalName)
	}
	written := service.Spec.ClusterIPs
	if len(written) == 0 { // written by something older than dual-stack
		written = []string{service.Spec.ClusterIP}
	}
	if written[0] == corev1.ClusterIPNone {
		return nil, fmt.Errorf("a headless Service has no cluster IP")
	}
	var addresses []netip.Addr
	for _, text := range written {
		// A zone may contain any byte, line breaks included; a cluster IP has none.
		if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" && !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("the Service has no cluster IP")
	}
	return addresses, nil
}
