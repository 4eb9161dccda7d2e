package lab

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
)

// ServerCertificate signs a certificate for a server of one's own that stands
// behind the virtual IP, as API servers do: valid for the name, for the
// addresses and for the virtual IP. Clients of [Lab.Kubeconfig] trust it.
func (l *Lab) ServerCertificate(name string, addrs ...netip.Addr) (tls.Certificate, error) {
	pair, err := l.authority.server([]string{name, "kubernetes.default.svc"}, append(addrs, VirtualIP.Addr())...)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("lab: certificate of server %q: %w", name, err)
	}
	certificate, err := tls.X509KeyPair(pair.cert, pair.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("lab: certificate of server %q: %w", name, err)
	}
	return certificate, nil
}

// CAs is the pool that verifies the certificates of the lab's servers and users.
func (l *Lab) CAs() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(l.authority.cert)
	return pool
}
