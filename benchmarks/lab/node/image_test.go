package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unpack(t *testing.T, packed []byte) map[string][]byte {
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(packed)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		files[header.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}

func TestAnImageIsWhatItsDigestsSay(t *testing.T) {
	var written bytes.Buffer
	require.NoError(t, writeImage(&written, "local.test/program:7", "program", []byte("a binary")))
	files := unpack(t, written.Bytes())
	blob := func(d descriptor) []byte {
		content, ok := files["blobs/sha256/"+d.Digest[len("sha256:"):]]
		require.True(t, ok, d)
		assert.Equal(t, d.Digest, fmt.Sprintf("sha256:%x", sha256.Sum256(content)))
		assert.Len(t, content, d.Size)
		return content
	}
	var index struct{ Manifests []descriptor }
	require.NoError(t, json.Unmarshal(files["index.json"], &index))
	require.Len(t, index.Manifests, 1)
	assert.Equal(t, "local.test/program:7", index.Manifests[0].Annotations["io.containerd.image.name"])
	assert.Equal(t, "7", index.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	require.NoError(t, json.Unmarshal(blob(index.Manifests[0]), &manifest))
	require.Len(t, manifest.Layers, 1)
	layer := blob(manifest.Layers[0])
	assert.Equal(t, "a binary", string(unpack(t, layer)["program"]))
	var config struct {
		Config struct{ Entrypoint []string }
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	require.NoError(t, json.Unmarshal(blob(manifest.Config), &config))
	assert.Equal(t, []string{"/program"}, config.Config.Entrypoint)
	assert.Equal(t, []string{digest(layer)}, config.Rootfs.DiffIDs)
}

func TestAnImageOfTheSameProgramIsTheSame(t *testing.T) {
	var a, b bytes.Buffer
	require.NoError(t, writeImage(&a, "local.test/program:7", "program", []byte("a binary")))
	require.NoError(t, writeImage(&b, "local.test/program:7", "program", []byte("a binary")))
	assert.Equal(t, a.Bytes(), b.Bytes())
}
