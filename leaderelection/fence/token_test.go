package fence

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

func tokenOf(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestTheTokenTellsThePod(t *testing.T) {
	name, uid, err := podOf(tokenOf(`{"sub":"x","kubernetes.io":{"namespace":"n","pod":{"name":"web-0","uid":"u-1"},"node":{"name":"a"}}}`) + "\n")
	require.NoError(t, err)
	assert.Equal(t, "web-0", name)
	assert.Equal(t, types.UID("u-1"), uid)
}

func TestATokenWithoutAPodIsNone(t *testing.T) {
	for _, token := range []string{"", "a.b", "e30.!.e30", tokenOf("no JSON"), tokenOf(`[]`), tokenOf(`{}`), tokenOf(`{"kubernetes.io":{"serviceaccount":{"name":"x"}}}`)} {
		_, _, err := podOf(token)
		assert.ErrorIs(t, err, ErrNoPod, token)
	}
}

func FuzzPodOf(f *testing.F) {
	f.Add(tokenOf(`{"kubernetes.io":{"pod":{"name":"web-0","uid":"u-1"}}}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		name, uid, err := podOf(token)
		if err == nil {
			_, _ = Identity(name, uid)
		}
	})
}
