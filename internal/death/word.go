package death

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Word names an instance of a container: a line that this process alone has written.
type Word string

// WordBegins is what the line begins with, for whoever finds it in a Pod's status.
const WordBegins = "holdfast-witness "

// NewWord returns a word of 128 random bits.
func NewWord() (Word, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return Word(WordBegins + hex.EncodeToString(random[:])), nil
}

// Hash is what the Lease has of the word. Two lines of one hash would have to be made
// at will, which for SHA-256 nobody can.
func (w Word) Hash() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(w))) }

// Says reports whether one whole line of a message is the word of that hash.
func Says(message, hash string) bool {
	for line := range strings.SplitSeq(message, "\n") {
		if strings.HasPrefix(line, WordBegins) && Word(line).Hash() == hash {
			return true
		}
	}
	return false
}
