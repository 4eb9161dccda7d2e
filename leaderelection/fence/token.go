package fence

import (
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/podtoken"
)

// ErrNoPod is wrapped by the error of OwnIdentity for a process that does not run
// in a Pod, or in one without a bound token.
var ErrNoPod = errors.New("no token that is bound to a Pod")

// tokenFile is where the kubelet puts the token of a Pod's ServiceAccount.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// OwnIdentity returns Identity for the Pod that this process runs in, whose name
// and UID its ServiceAccount token tells: the same token by which the API server
// knows it, so that both mean one Pod. The error wraps ErrNoPod where there is no
// such token.
func OwnIdentity() (string, error) {
	return IdentityOf(&rest.Config{BearerTokenFile: tokenFile})
}

// IdentityOf is OwnIdentity for the Pod that the token of config is bound to, its
// BearerToken or that of its BearerTokenFile: what the API server takes this
// process's requests for, wherever the token comes from. The error wraps ErrNoPod where
// config has no token, such as with a client certificate, and where the token is
// bound to none.
func IdentityOf(config *rest.Config) (string, error) {
	token, whence := config.BearerToken, "the token of the configuration"
	if config.BearerTokenFile != "" { // which goes first where both are set
		whence = config.BearerTokenFile
		content, err := os.ReadFile(config.BearerTokenFile)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoPod, err)
		}
		token = string(content)
	}
	if token == "" {
		return "", fmt.Errorf("%w: the configuration has no token", ErrNoPod)
	}
	pod, err := podtoken.Parse(token)
	if err != nil {
		return "", fmt.Errorf("%s: %w: %w", whence, ErrNoPod, err)
	}
	return Identity(pod.Name, pod.UID)
}
