// Package podtoken reads which Pod the token of a ServiceAccount is bound to.
package podtoken

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Pod is the Pod that a token is bound to.
type Pod struct {
	Namespace, Name string
	UID             types.UID
}

// Parse reads the payload of a token. It does not check the signature: that is the API
// server's to do
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#schema-for-service-account-private-claims).
// A token that does not name a Pod and its UID is an error, which says what "it" lacks.
func Parse(token string) (Pod, error) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return Pod{}, fmt.Errorf("it has %d parts, a JSON Web Token has 3", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Pod{}, fmt.Errorf("its second part: %w", err)
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
		return Pod{}, fmt.Errorf("its second part: %w", err)
	}
	pod := Pod{claims.Kubernetes.Namespace, claims.Kubernetes.Pod.Name, claims.Kubernetes.Pod.UID}
	if pod.Name == "" || pod.UID == "" {
		return Pod{}, errors.New("it is bound to none: it must name a Pod and its UID")
	}
	return pod, nil
}
