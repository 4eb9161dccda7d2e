package witness

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// boundPod is what a token of a ServiceAccount says of the Pod that it is bound to.
type boundPod struct {
	namespace, pod string
	uid            types.UID
}

// parseToken reads the payload of a token. Nobody checks its signature here: the
// kubelet has put it there for this process
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#schema-for-service-account-private-claims).
func parseToken(token string) (boundPod, error) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return boundPod{}, fmt.Errorf("a JSON Web Token has 3 parts, this one has %d", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return boundPod{}, fmt.Errorf("the payload of the token: %w", err)
	}
	var claims struct {
		Kubernetes struct {
			Namespace string `json:"namespace"`
			Pod       struct {
				Name string    `json:"name"`
				UID  types.UID `json:"uid"`
			} `json:"pod"`
		} `json:"kubernetes.io"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return boundPod{}, fmt.Errorf("the payload of the token: %w", err)
	}
	k := claims.Kubernetes
	if k.Namespace == "" || k.Pod.Name == "" || k.Pod.UID == "" {
		return boundPod{}, errors.New("the token is not bound to a Pod: it must name namespace, Pod and UID")
	}
	return boundPod{k.Namespace, k.Pod.Name, k.Pod.UID}, nil
}
