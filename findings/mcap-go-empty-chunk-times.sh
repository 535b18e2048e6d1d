#!/bin/bash
# The MCAP writer for Go says that a file begins in 1970 if its last chunk has no message.
#
# github.com/foxglove/mcap/go/mcap v1.9.0 (Go 1.26): a channel that is added after the last message stands in a chunk of its
# own, whose times are zero, as the specification wants it. The writer takes that zero for the time of a message: the
# statistics at the end of the file have message_start_time 0, and so a viewer shows a recording of more than 50 years.
#
# Seen:  chunks 2, messages 1, from 0 to 1796022000000000000
#
# So Waldo's writer leaves the times of such chunks out, and its reader takes the times of a file from the chunks that have
# messages (recording/write, TestEmptyChunk).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"

	"github.com/foxglove/mcap/go/mcap"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var out bytes.Buffer
	w, err := mcap.NewWriter(&out, &mcap.WriterOptions{Chunked: true, ChunkSize: 100})
	check(err)
	check(w.WriteHeader(&mcap.Header{}))
	check(w.WriteSchema(&mcap.Schema{ID: 1, Name: "s", Encoding: "jsonschema", Data: []byte("{}")}))
	check(w.WriteChannel(&mcap.Channel{ID: 1, SchemaID: 1, Topic: "/a", MessageEncoding: "json"}))
	check(w.WriteMessage(&mcap.Message{ChannelID: 1, LogTime: 1796022000e9, PublishTime: 1796022000e9, Data: make([]byte, 200)}))
	check(w.WriteChannel(&mcap.Channel{ID: 2, SchemaID: 1, Topic: "/b", MessageEncoding: "json"}))
	check(w.Close())
	r, err := mcap.NewReader(bytes.NewReader(out.Bytes()))
	check(err)
	defer r.Close()
	info, err := r.Info()
	check(err)
	s := info.Statistics
	fmt.Printf("chunks %d, messages %d, from %d to %d\n", s.ChunkCount, s.MessageCount, s.MessageStartTime, s.MessageEndTime)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/foxglove/mcap/go/mcap@v1.9.0 >/dev/null 2>&1
got=$(GOWORK=off GOFLAGS=-mod=mod go run .)
echo "$got"
want="chunks 2, messages 1, from 0 to 1796022000000000000"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
