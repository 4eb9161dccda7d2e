package fence

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

func tokenOf(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
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
