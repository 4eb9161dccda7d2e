package fence

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
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

func TestTheIdentityIsThatOfTheTokenWhichIsSent(t *testing.T) {
	of := func(pod string) string {
		return tokenOf(`{"kubernetes.io":{"pod":{"name":"` + pod + `","uid":"u-1"}}}`)
	}
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(of("in-file")+"\n"), 0o600))
	for begin, config := range map[string]rest.Config{
		"in-memory_u-1_": {BearerToken: of("in-memory")},
		"in-file_u-1_":   {BearerToken: of("in-memory"), BearerTokenFile: file},
	} {
		identity, err := IdentityOf(&config)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(identity, begin), identity)
	}
	for says, config := range map[string]rest.Config{
		"has no token":  {TLSClientConfig: rest.TLSClientConfig{CertFile: "a.crt"}},
		"bound to none": {BearerToken: tokenOf(`{}`)},
		"no such file":  {BearerToken: of("in-memory"), BearerTokenFile: file + ".not"},
		"has 1 parts":   {BearerToken: "static"},
	} {
		_, err := IdentityOf(&config)
		require.ErrorIs(t, err, ErrNoPod, says)
		require.ErrorContains(t, err, says)
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
