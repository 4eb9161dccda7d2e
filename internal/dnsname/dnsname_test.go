package dnsname_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/dnsname"
)

func TestAQuestionThatIsNoneIsRefused(t *testing.T) {
	header := []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for name, question := range map[string][]byte{
		"empty":               {},
		"two questions":       {0, 7, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0},
		"no name":             header,
		"a name cut short":    append(header, 5, 'a'),
		"a compressed name":   append(header, 0xc0, 12),
		"a name without type": append(header, 1, 'a', 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dnsname.New("it").Answer(question)
			assert.Error(t, err)
		})
	}
}

func TestANameThatIsNotServedDoesNotExist(t *testing.T) {
	const typeA, classIN, noSuchName = 1, 1, 3
	question := []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, typeA, 0, classIN}
	name := dnsname.New("it")
	name.Set(netip.MustParseAddr("198.18.0.6"))
	answer, err := name.Answer(question)
	require.NoError(t, err)
	assert.EqualValues(t, noSuchName, answer[3]&0xf)
	assert.Zero(t, answer[7], "no answers")
}
