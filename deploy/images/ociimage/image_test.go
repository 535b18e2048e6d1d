package ociimage_test

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/waldo-robot/waldo/deploy/images/ociimage"
)

// description describes an image of two programs that are texts.
func description(t *testing.T) ociimage.Description {
	t.Helper()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return ociimage.Description{Name: "waldo-gateway", Version: "1.2.3", Licence: "Apache-2.0",
		Programs:     map[string]string{"arm": file("arm", "of arm"), "amd64": file("amd64", "of amd64")},
		Certificates: file("certificates", "authorities"), Arguments: []string{"--version"}, Ports: []string{"7100/udp"},
		Created: time.Unix(1_700_000_000, 0)}
}

// written writes an image and returns its index.
func written(t *testing.T, d ociimage.Description) v1.ImageIndex {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "image")
	if err := ociimage.Write(folder, d); err != nil {
		t.Fatal(err)
	}
	outer, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("the layout has not one image: %v, %v", manifest, err)
	}
	if tag := manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"]; tag != d.Version {
		t.Errorf("the tag is %q", tag)
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func TestImage(t *testing.T) {
	index := written(t, description(t))
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	want := []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm", Variant: "v7"}}
	for i, m := range manifest.Manifests {
		if !m.Platform.Equals(want[i]) {
			t.Errorf("image %d is for %v, want %v", i, m.Platform, want[i])
		}
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil || config.Config.User != "65532:65532" || config.Architecture != want[i].Architecture {
			t.Errorf("image %d is configured as %+v, %v", i, config, err)
		}
		if got := content(t, image)["usr/bin/waldo-gateway"]; got != "of "+want[i].Architecture {
			t.Errorf("the program for %v is %q", want[i], got)
		}
	}
}

// content returns the files of an image.
func content(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	stream := mutate.Extract(image)
	defer stream.Close()
	files := map[string]string{}
	for r := tar.NewReader(stream); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(data)
	}
}

func TestSameFilesSameImage(t *testing.T) {
	d := description(t)
	first, err := written(t, d).Digest()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := written(t, d).Digest(); err != nil || second != first {
		t.Errorf("the second image is %v, the first was %v (%v)", second, first, err)
	}
}

func TestMissingProgram(t *testing.T) {
	d := description(t)
	d.Programs["arm64"] = filepath.Join(t.TempDir(), "missing")
	if err := ociimage.Write(filepath.Join(t.TempDir(), "image"), d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an image without its program: %v", err)
	}
}
