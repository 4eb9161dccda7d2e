package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Masters is the group whose members may do everything.
const Masters = "system:masters"

// observerName is the user the lab itself acts as.
const observerName = "holdfast-lab"

// Kubeconfig writes a kubeconfig for the user, member of the groups, and
// returns its path. It authenticates by a client certificate and names the
// virtual IP as the server. Roles are real: a user outside [Masters] may do
// only what RBAC objects grant. Asked again for the same user and groups it
// writes a new file.
func (l *Lab) Kubeconfig(user string, groups ...string) (string, error) {
	config, err := l.config("https://"+VirtualIP.String(), user, groups...)
	if err != nil {
		return "", err
	}
	return l.writeKubeconfig(user, config)
}

// Observer returns the lab's own client to one API server, with its
// configuration. It has every right and no rate limit, connects from the
// router directly, not through the virtual IP, and so sees what is committed
// whatever the contenders see, as long as that server is unharmed: choose one
// that is. Each call signs a certificate of its own, so that client-go shares no
// connection between two observers.
func (l *Lab) Observer(server int) (kubernetes.Interface, *rest.Config, error) {
	l.mu.Lock()
	err := l.checkBackends([]int{server})
	l.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	config, err := l.config("https://"+l.servers[server].Addr().String(), observerName, Masters)
	if err != nil {
		return nil, nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("lab: observer at %s: %w", config.Host, err)
	}
	return client, config, nil
}

func (l *Lab) config(server, user string, groups ...string) (*rest.Config, error) {
	if user == "" {
		return nil, errors.New("lab: client certificate: the user's name is empty")
	}
	pair, err := l.authority.client(user, groups...)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return &rest.Config{
		Host: server,
		QPS:  -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: l.authority.pem, CertData: pair.cert, KeyData: pair.key,
		},
	}, nil
}

func (l *Lab) writeKubeconfig(user string, c *rest.Config) (string, error) {
	const name = "lab"
	k := clientcmdapi.NewConfig()
	k.Clusters[name] = &clientcmdapi.Cluster{Server: c.Host, CertificateAuthorityData: c.CAData}
	k.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: c.CertData, ClientKeyData: c.KeyData}
	k.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	k.CurrentContext = name
	f, err := os.CreateTemp(l.dir.path, strings.Map(fileRune, user)+"-*.kubeconfig")
	if err != nil {
		return "", fmt.Errorf("lab: kubeconfig of %q: %w", user, err)
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("lab: kubeconfig of %q: %w", user, err)
	}
	if err := clientcmd.WriteToFile(*k, f.Name()); err != nil {
		return "", fmt.Errorf("lab: kubeconfig of %q: %w", user, err)
	}
	return filepath.Clean(f.Name()), nil
}

// fileRune keeps what is harmless in a file name.
func fileRune(r rune) rune {
	if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '_'
}

// probeAPI asks an API server whether it is ready.
func probeAPI(config *rest.Config) (func(context.Context) error, error) {
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, fmt.Errorf("lab: client of %s: %w", config.Host, err)
	}
	return probe(tls, config.Host+"/readyz"), nil
}

// probeEtcd asks etcd whether it is healthy.
func probeEtcd(server string) func(context.Context) error {
	return probe(nil, server+"/health")
}

// probe asks on a connection of its own each time: what was cut off or frozen
// must not answer for what is there now.
func probe(tls *tls.Config, url string) func(context.Context) error {
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: tls, DisableKeepAlives: true}}
	return func(ctx context.Context) error { return ask(ctx, c, url) }
}

func ask(ctx context.Context, c *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := c.Do(request)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, answer.Status)
	}
	return nil
}
