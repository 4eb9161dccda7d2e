package podtoken_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/podtoken"
)

func tokenOf(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestTheTokenTellsThePod(t *testing.T) {
	pod, err := podtoken.Parse(tokenOf(`{"sub":"x","kubernetes.io":{"namespace":"n","pod":{"name":"web-0","uid":"u-1"},"node":{"name":"a"}}}`) + "\n")
	require.NoError(t, err)
	assert.Equal(t, podtoken.Pod{Namespace: "n", Name: "web-0", UID: "u-1"}, pod)
}

func TestATokenWithoutAPodIsNone(t *testing.T) {
	for _, token := range []string{"", "a.b", "e30.!.e30", tokenOf("no JSON"), tokenOf(`[]`), tokenOf(`{}`), tokenOf(`{"kubernetes.io":{"serviceaccount":{"name":"x"}}}`)} {
		_, err := podtoken.Parse(token)
		assert.Error(t, err, token)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(tokenOf(`{"kubernetes.io":{"pod":{"name":"web-0","uid":"u-1"}}}`))
	f.Add("..")
	f.Add("e30.bnVsbA.e30")
	f.Fuzz(func(t *testing.T, token string) {
		if pod, err := podtoken.Parse(token); err == nil {
			assert.NotEmpty(t, pod.Name)
			assert.NotEmpty(t, pod.UID)
		}
	})
}
