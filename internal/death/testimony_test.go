package death_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/internal/death/deathtest"
)

func TestATestimonyOfAPodIsReadAsItWasWritten(t *testing.T) {
	read, err := death.ParsePodTestimony(deathtest.Testimony().String())
	require.NoError(t, err)
	assert.Equal(t, deathtest.Testimony(), read)
	for _, text := range []string{
		"", " ", "\x00", "a b c d e f", "a b c d", strings.Repeat("a ", 1<<20), strings.Repeat("x", 2000),
		"../secrets controller-0 " + deathtest.UID + " manager " + deathtest.Word.Hash(),
		"kube-system controller-0/log " + deathtest.UID + " manager " + deathtest.Word.Hash(),
		"kube-system .. " + deathtest.UID + " manager " + deathtest.Word.Hash(),
		"kube-system controller-0  manager " + deathtest.Word.Hash(),
		"kube-system controller-0 a/b manager " + deathtest.Word.Hash(),
		"kube-system controller-0 " + deathtest.UID + " MANAGER " + deathtest.Word.Hash(),
		"kube-system controller-0 " + deathtest.UID + " manager " + deathtest.Word.Hash()[1:],
		"kube-system controller-0 " + deathtest.UID + " manager " + strings.ToUpper(deathtest.Word.Hash()),
		"kube-system controller-0 " + deathtest.UID + " manager " + deathtest.Word.Hash() + "\n",
	} {
		_, err := death.ParsePodTestimony(text)
		require.Error(t, err, "%.40q", text)
		assert.Less(t, len(err.Error()), 500)
	}
}

func FuzzPodTestimony(f *testing.F) {
	f.Add(deathtest.Testimony().String())
	f.Add("a b c d e")
	f.Fuzz(func(t *testing.T, text string) {
		if read, err := death.ParsePodTestimony(text); err == nil {
			assert.Equal(t, text, read.String())
			_, err := death.ByPod(read, deathtest.Pod(deathtest.Ended(137, string(deathtest.OtherWord)+"\n"), nil))
			assert.Error(t, err)
		}
	})
}

func FuzzProcessTestimony(f *testing.F) {
	f.Add("0123456789abcdef0123456789abcdef boot=x net=4:1 cookie=3 from=192.0.2.1 epoch=17")
	f.Add("0123456789abcdef0123456789abcdef  epoch=-1 epoch=")
	f.Fuzz(func(t *testing.T, text string) {
		if read, err := death.ParseProcessTestimony(text); err == nil {
			again, err := death.ParseProcessTestimony(read.String())
			require.NoError(t, err)
			assert.Equal(t, read, again)
		}
	})
}
