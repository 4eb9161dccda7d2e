package leaseapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// authority signs the serving certificates of one Store. It is made when it is
// first needed, lives in memory only and is gone with the Store.
type authority struct {
	once  sync.Once
	err   error
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	caPEM []byte
}

// certificateLife covers the longest test run; the certificates are never
// stored.
const certificateLife = 24 * time.Hour

func (a *authority) setup() error {
	a.once.Do(func() {
		a.key, a.err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if a.err != nil {
			return
		}
		template := &x509.Certificate{
			SerialNumber:          big.NewInt(1),
			Subject:               pkix.Name{CommonName: "lease-api-in-memory"},
			NotBefore:             time.Now().Add(-time.Hour),
			NotAfter:              time.Now().Add(certificateLife),
			IsCA:                  true,
			BasicConstraintsValid: true,
			KeyUsage:              x509.KeyUsageCertSign,
		}
		var der []byte
		der, a.err = x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
		if a.err != nil {
			return
		}
		a.root, a.err = x509.ParseCertificate(der)
		a.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	})
	if a.err != nil {
		return fmt.Errorf("making a certificate authority in memory: %w", a.err)
	}
	return nil
}

// sign returns a serving certificate for loopback.
func (a *authority) sign(name string) (tls.Certificate, error) {
	if err := a.setup(); err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a key for endpoint %q: %w", name, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a serial number for endpoint %q: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing the certificate of endpoint %q: %w", name, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
