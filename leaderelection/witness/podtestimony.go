package witness

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// podTestimony is what Pod leaves: which container of which Pod, and by what its
// instance is known.
type podTestimony struct {
	namespace, pod string
	uid            types.UID
	container      string
	hash           string // of the line in the termination log
}

func (t podTestimony) String() string {
	return strings.Join([]string{t.namespace, t.pod, string(t.uid), t.container, t.hash}, " ")
}

var (
	validUID  = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	validHash = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// parsePodTestimony checks each part: two of them go into the path of a request.
func parsePodTestimony(text string) (t podTestimony, err error) {
	if len(text) > MaxTestimony {
		return t, noProof("a testimony of %d bytes, and it may have %d", len(text), MaxTestimony)
	}
	parts := strings.Split(text, " ")
	if len(parts) != 5 {
		return t, noProof("%s is no testimony of a Pod: it must be namespace, name, UID, container and a hash", quote(text))
	}
	t = podTestimony{parts[0], parts[1], types.UID(parts[2]), parts[3], parts[4]}
	for _, part := range []struct {
		what, text string
		wrong      bool
	}{
		{"namespace", t.namespace, len(validation.IsDNS1123Label(t.namespace)) > 0},
		{"name of a Pod", t.pod, len(validation.IsDNS1123Subdomain(t.pod)) > 0},
		{"UID", parts[2], !validUID.MatchString(parts[2])},
		{"name of a container", t.container, len(validation.IsDNS1123Label(t.container)) > 0},
		{"hash", t.hash, !validHash.MatchString(t.hash)},
	} {
		if part.wrong {
			return t, noProof("%s in %s is no %s", quote(part.text), quote(text), part.what)
		}
	}
	return t, nil
}

// word names an instance of a container: a line that this process alone has written.
type word string

// wordBegins is what the line begins with, for whoever finds it in a Pod's status.
const wordBegins = "holdfast-witness "

func newWord() (word, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return word(wordBegins + hex.EncodeToString(random[:])), nil
}

// hash is what the Lease has of the word. Two lines of one hash would have to be made
// at will, which for SHA-256 nobody can.
func (w word) hash() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(w))) }
