package death

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// PodTestimony is what witness.Pod leaves: which container of which Pod, and by what its
// instance is known.
type PodTestimony struct {
	Namespace, Pod string
	UID            types.UID
	Container      string
	Hash           string // of the line in the termination log
}

// String is the testimony as it stands in the Lease.
func (t PodTestimony) String() string {
	return strings.Join([]string{t.Namespace, t.Pod, string(t.UID), t.Container, t.Hash}, " ")
}

var (
	validUID  = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	validHash = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ParsePodTestimony checks each part: two of them go into the path of a request.
func ParsePodTestimony(text string) (t PodTestimony, err error) {
	parts := strings.Split(text, " ")
	if len(parts) != 5 {
		return t, fmt.Errorf("%s is no testimony of a Pod: it must be namespace, name, UID, container and a hash", Quote(text))
	}
	t = PodTestimony{parts[0], parts[1], types.UID(parts[2]), parts[3], parts[4]}
	for _, part := range []struct {
		what, text string
		wrong      bool
	}{
		{"namespace", t.Namespace, len(validation.IsDNS1123Label(t.Namespace)) > 0},
		{"name of a Pod", t.Pod, len(validation.IsDNS1123Subdomain(t.Pod)) > 0},
		{"UID", parts[2], !validUID.MatchString(parts[2])},
		{"name of a container", t.Container, len(validation.IsDNS1123Label(t.Container)) > 0},
		{"hash", t.Hash, !validHash.MatchString(t.Hash)},
	} {
		if part.wrong {
			return t, fmt.Errorf("%s in %s is no %s", Quote(part.text), Quote(text), part.what)
		}
	}
	return t, nil
}
