package dialer

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientauth "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// pluginFile names the file with the status that the test binary, run as an
// exec plugin, gives out as the credential.
const pluginFile = "HOLDFAST_TEST_EXEC_PLUGIN"

// The test binary is the plugin when it is started as one.
func init() {
	path := os.Getenv(pluginFile)
	if path == "" {
		return
	}
	status, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf(`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":%s}`, status)
	os.Exit(0)
}

func TestUserExecPluginRenewsTokenAndCertificate(t *testing.T) {
	authority := newAuthority(t, "users")
	forBoth(t, func(t *testing.T, harden hardenFunc) {
		var valid atomic.Value
		server, opened := newServer(t, true, func(w http.ResponseWriter, request *http.Request) {
			want := valid.Load().(string)
			if request.Header.Get("Authorization") != "Bearer "+want || request.TLS.PeerCertificates[0].Subject.CommonName != want {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}, func(server *httptest.Server) {
			server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.pool(), MinVersion: tls.VersionTLS12}
		})
		path := filepath.Join(t.TempDir(), "status")
		become := func(name string) {
			certificate, key := authority.issue(t, name)
			status, err := json.Marshal(clientauth.ExecCredentialStatus{
				Token: name, ClientCertificateData: string(certificate), ClientKeyData: string(key),
			})
			require.NoError(t, err)
			write(t, path, status)
			valid.Store(name)
		}
		become("first")
		binary, err := os.Executable()
		require.NoError(t, err)
		config := newConfig(server)
		config.ExecProvider = &clientcmdapi.ExecConfig{
			Command:         binary,
			Env:             []clientcmdapi.ExecEnvVar{{Name: pluginFile, Value: path}},
			APIVersion:      clientauth.SchemeGroupVersion.String(),
			InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}
		client := hardenedClient(t, harden, config)
		require.Equal(t, http.StatusOK, status(t, client, server.URL))
		require.Equal(t, http.StatusOK, status(t, client, server.URL))
		assert.EqualValues(t, 1, opened.Load())

		become("second")
		// A 401 makes client-go run the plugin again and, as the certificate is
		// another one now, close the connections that were made with the old.
		assert.Equal(t, http.StatusUnauthorized, status(t, client, server.URL))
		// Over HTTP/2 a request may still meet a connection that has just been
		// closed, with client-go alone as well; over the lock's it is sent again.
		_, lock := Hardened(client.Transport)
		assert.Eventually(t, func() bool {
			response, err := client.Get(server.URL)
			if err != nil {
				assert.False(t, lock, err)
				return false
			}
			_ = response.Body.Close()
			return response.StatusCode == http.StatusOK
		}, 30*time.Second, ms)
		assert.EqualValues(t, 2, opened.Load())
	})
}
