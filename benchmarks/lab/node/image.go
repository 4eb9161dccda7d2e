package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
)

// An Image is a container image of one program: a static binary, and nothing else.
type Image struct {
	// Reference is the name that Pods use, with registry and tag, such as
	// "local.test/program:1".
	Reference string
	// Program is the path of the binary; it becomes the entry point.
	Program string
}

func (i Image) writeFile(to string) (err error) {
	program, err := os.ReadFile(i.Program)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Reference, err)
	}
	file, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Reference, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return writeImage(file, i.Reference, path.Base(i.Program), program)
}

// The media types of an OCI image that is one archive.
const (
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func describe(mediaType string, blob []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: digest(blob), Size: len(blob)}
}

func digest(blob []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(blob)) }

// writeImage writes an archive in the OCI layout, with one image of one layer that has
// the program at /name. It is the same for the same program, so that nodes which have
// it need not unpack it again.
func writeImage(to io.Writer, reference, name string, program []byte) error {
	layer, err := archive(
		entry{name: "tmp", mode: 0o1777},
		entry{name: "etc", mode: 0o755},
		entry{name: name, mode: 0o755, content: program},
	)
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/" + name}, "Env": []string{"PATH=/"}, "WorkingDir": "/"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": mediaManifest,
		"config": describe(mediaConfig, config), "layers": []descriptor{describe(mediaLayer, layer)},
	})
	if err != nil {
		return err
	}
	listed := describe(mediaManifest, manifest)
	_, tag, _ := strings.Cut(path.Base(reference), ":")
	listed.Annotations = map[string]string{"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{listed}})
	if err != nil {
		return err
	}
	entries := []entry{
		{name: "oci-layout", mode: 0o644, content: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "index.json", mode: 0o644, content: index},
	}
	for _, blob := range [][]byte{layer, config, manifest} {
		entries = append(entries, entry{name: "blobs/sha256/" + strings.TrimPrefix(digest(blob), "sha256:"), mode: 0o644, content: blob})
	}
	all, err := archive(entries...)
	if err != nil {
		return err
	}
	_, err = to.Write(all)
	return err
}

// An entry is a file of an archive, or a folder if it has no content.
type entry struct {
	name    string
	mode    int64
	content []byte
}

func archive(entries ...entry) ([]byte, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.content == nil {
			header.Name, header.Typeflag = e.name+"/", tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
