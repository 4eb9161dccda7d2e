package fence

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
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
// process's requests for, wherever the token comes from. The error wraps ErrNoPod where config has
// no token, such as with a client certificate, and where the token is bound to none.
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
	pod, uid, err := podOf(token)
	if err != nil {
		return "", fmt.Errorf("%s: %w", whence, err)
	}
	return Identity(pod, uid)
}

// podOf returns the Pod that a token of a ServiceAccount is bound to. The
// signature is the API server's to check
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#schema-for-service-account-private-claims).
func podOf(token string) (name string, uid types.UID, err error) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return "", "", fmt.Errorf("%w: it has %d parts, a JSON Web Token has 3", ErrNoPod, len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", "", fmt.Errorf("%w: its second part: %w", ErrNoPod, err)
	}
	var claims struct {
		Kubernetes struct {
			Pod *struct {
				Name string    `json:"name"`
				UID  types.UID `json:"uid"`
			} `json:"pod"`
		} `json:"kubernetes.io"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", "", fmt.Errorf("%w: its second part: %w", ErrNoPod, err)
	}
	if claims.Kubernetes.Pod == nil {
		return "", "", fmt.Errorf("%w: it is bound to none", ErrNoPod)
	}
	return claims.Kubernetes.Pod.Name, claims.Kubernetes.Pod.UID, nil
}
