// Package ociimage makes container images of programs that need nothing but themselves, for several architectures in
// one, without a container engine and without root. Same files, same bytes.
//
// An image has one layer: the program, the certificates of public authorities, a user, and folders for state and for
// temporary files. It has no shell and no package manager, so there is nothing to update in it but the program.
package ociimage

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User is the number of the user, and of the group, that the program runs as.
const User = 65532

// Description says what is in an image.
type Description struct {
	// Name is the name of the program, and of the image.
	Name string
	// Version is that of the program.
	Version string
	// Licence is its SPDX expression.
	Licence string
	// Programs are the paths of the program, one per architecture in the words of Go.
	Programs map[string]string
	// Certificates is the path of a PEM file of public authorities.
	Certificates string
	// Arguments are what the program gets unless whoever runs the image says otherwise.
	Arguments []string
	// Ports are what the program listens at, such as "7100/udp".
	Ports []string
	// Created is the time that everything in the image bears.
	Created time.Time
}

// Write writes the image into a new folder, as an OCI image layout whose one image has a tag with the version.
func Write(folder string, d Description) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range slices.Sorted(maps.Keys(d.Programs)) {
		image, err := build(d, arch)
		if err != nil {
			return fmt.Errorf("the image of %s for %s: %w", d.Name, arch, err)
		}
		platform := &v1.Platform{OS: "linux", Architecture: arch, Variant: variant(arch)}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	target, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	return target.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": d.Version,
	}))
}

// variant is the version of the instruction set that programs of an architecture need.
func variant(arch string) string {
	if arch == "arm" {
		return "v7"
	}
	return ""
}

func build(d Description, arch string) (v1.Image, error) {
	files, err := layer(d, d.Programs[arch])
	if err != nil {
		return nil, err
	}
	content, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)),
			nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{Layer: content, History: v1.History{
		CreatedBy: d.Name + " " + d.Version, Created: v1.Time{Time: d.Created}}})
	if err != nil {
		return nil, err
	}
	return configure(image, d, arch)
}

// configure says in an image what an engine needs to know to run it.
func configure(image v1.Image, d Description, arch string) (v1.Image, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = "linux", arch, variant(arch)
	file.Created = v1.Time{Time: d.Created}
	file.Config = v1.Config{
		Entrypoint:   []string{"/usr/bin/" + d.Name},
		Cmd:          d.Arguments,
		User:         fmt.Sprintf("%d:%d", User, User),
		WorkingDir:   "/var/lib/waldo",
		Env:          []string{"PATH=/usr/bin", "HOME=/var/lib/waldo", "STATE_DIRECTORY=/var/lib/waldo"},
		ExposedPorts: map[string]struct{}{},
		Volumes:      map[string]struct{}{"/var/lib/waldo": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":    d.Name,
			"org.opencontainers.image.version":  d.Version,
			"org.opencontainers.image.licenses": d.Licence,
			"org.opencontainers.image.created":  d.Created.UTC().Format(time.RFC3339),
		},
	}
	for _, port := range d.Ports {
		file.Config.ExposedPorts[port] = struct{}{}
	}
	return mutate.ConfigFile(image, file)
}

// layer returns the files of an image as a tar.
func layer(d Description, program string) ([]byte, error) {
	code, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	certificates, err := os.ReadFile(d.Certificates)
	if err != nil {
		return nil, err
	}
	user := fmt.Sprintf("waldo:x:%d:%d:Waldo:/var/lib/waldo:/nonexistent\n", User, User)
	group := fmt.Sprintf("waldo:x:%d:\n", User)
	entries := []entry{
		{name: "etc/group", mode: 0o644, content: []byte(group)},
		{name: "etc/passwd", mode: 0o644, content: []byte(user)},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: certificates},
		{name: "tmp/", mode: 0o1777},
		{name: "usr/bin/" + d.Name, mode: 0o755, content: code},
		{name: "var/lib/waldo/", mode: 0o750, owner: User},
	}
	return archive(entries, d.Created)
}

// entry is a file of an image, or a folder if its name ends in a slash.
type entry struct {
	name    string
	mode    int64
	owner   int
	content []byte
}

// archive makes a tar of entries and the folders that they are in.
func archive(entries []entry, created time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	seen := map[string]bool{".": true}
	add := func(e entry) error {
		header := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.content)),
			ModTime: created, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if e.name[len(e.name)-1] == '/' {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err := w.Write(e.content)
		return err
	}
	for _, e := range entries {
		for _, folder := range parents(path.Clean(e.name)) {
			if seen[folder] {
				continue
			}
			seen[folder] = true
			if err := add(entry{name: folder + "/", mode: 0o755}); err != nil {
				return nil, err
			}
		}
		if err := add(e); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// parents returns the folders that a path is in, from the outermost.
func parents(name string) []string {
	var folders []string
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		folders = append(folders, folder)
	}
	slices.Reverse(folders)
	return folders
}
