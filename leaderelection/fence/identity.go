package fence

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Identity returns a holder's identity that a fence understands: the name of the
// Pod, its UID and a random word, with underscores between them. Others read it
// as client-go's own, which is a host name, an underscore and a random word.
//
// The random word tells the containers of one Pod apart, and one that was
// restarted from its predecessor. The error says what is wrong with pod or uid;
// the downward API has both (metadata.name and metadata.uid).
func Identity(pod string, uid types.UID) (string, error) {
	if messages := validation.IsDNS1123Subdomain(pod); len(messages) > 0 {
		return "", fmt.Errorf("name of the Pod %q: %s", pod, strings.Join(messages, "; "))
	}
	if uid == "" || strings.ContainsAny(string(uid), "_ ") {
		return "", fmt.Errorf("UID of the Pod %q: must be what metadata.uid says", uid)
	}
	return pod + "_" + string(uid) + "_" + rand.String(10), nil
}
