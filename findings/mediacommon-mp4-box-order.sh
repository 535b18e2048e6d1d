#!/bin/bash
# mediacommon reads an MP4 file only if its boxes are in the order in which mediacommon writes them.
#
# ISO/IEC 14496-12 makes the edit list (edts) optional and allows free space (free) between any two boxes. The reader in
# pkg/formats/pmp4 of github.com/bluenviron/mediacommon/v2 v2.9.3 (Go 1.26) is a chain of states and requires each box
# right after the one it expects: a file that it has just written is refused once its edit list is renamed to free space.
# ffmpeg omits the edit list with -use_editlist 0, and fragmented files have none.
#
# Seen:  as written: 1 track | without edit list: unexpected box 'mdia'
#
# So Waldo walks the boxes with github.com/abema/go-mp4 and accepts them in any order (services/camera/mp4, TestVariants).
set -euo pipefail
cd "$(mktemp -d)"
trap 'chmod -R u+w "$PWD"; rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/pmp4"
)

func main() {
	picture := []byte{0, 0, 0, 2, 0x65, 0x88}
	track := &pmp4.Track{ID: 1, TimeScale: 90000, Codec: &codecs.H264{
		SPS: []byte{0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0,
			0x3c, 0x60, 0xc9, 0x20},
		PPS: []byte{0x68, 0xce, 0x3c, 0x80},
	}, Samples: []*pmp4.Sample{{Duration: 3000, PayloadSize: uint32(len(picture)), GetPayload: func() ([]byte, error) { return picture, nil }}}}
	var file bytes.Buffer
	if err := (pmp4.Presentation{Tracks: []*pmp4.Track{track}}).Marshal(&file); err != nil {
		panic(err)
	}
	var as, without pmp4.Presentation
	err := as.Unmarshal(bytes.NewReader(file.Bytes()))
	fmt.Printf("as written: %d track", len(as.Tracks))
	if err != nil {
		fmt.Print(" ", err)
	}
	err = without.Unmarshal(bytes.NewReader(bytes.Replace(file.Bytes(), []byte("edts"), []byte("free"), 1)))
	fmt.Println(" | without edit list:", err)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/bluenviron/mediacommon/v2@v2.9.3 >/dev/null 2>&1
got=$(GOWORK=off GOFLAGS=-mod=mod go run .)
echo "$got"
[ "$got" = "as written: 1 track | without edit list: unexpected box 'mdia'" ] || { echo "this has changed" >&2; exit 1; }
