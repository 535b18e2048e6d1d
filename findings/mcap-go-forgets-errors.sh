#!/bin/bash
# The MCAP writer for Go forgets that a write has failed, and leaves a file that nobody can read in full.
#
# github.com/foxglove/mcap/go/mcap v1.9.0 (Go 1.26), to a disk that has room for 150,000 bytes and, later, again: the
# WriteMessage that ends the chunk for which there is no room returns the error, once. All that follow, and Close, return
# nil, and go on behind half a chunk: a reader that goes through the file stops there, and by the index it fails.
#
# Seen:  1 of 1000 messages failed, Close: <nil> | read in order: bad, by the index: bad
#
# So Waldo's writer keeps the first error, takes nothing after it, and leaves a file that a repair completes up to the last
# whole chunk (recording/write, TestFullDisk and TestRealFullDisk).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/foxglove/mcap/go/mcap"
)

// disk has no room for one write that goes beyond 150,000 bytes; then somebody has deleted something.
type disk struct {
	bytes.Buffer
	failed bool
}

func (d *disk) Write(p []byte) (int, error) {
	if left := 150_000 - d.Len(); !d.failed && len(p) > left {
		d.failed = true
		n, _ := d.Buffer.Write(p[:left])
		return n, errors.New("no space left on device")
	}
	return d.Buffer.Write(p)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// read says whether all messages that were written without an error come back.
func read(data []byte, want int, index bool) string {
	r, err := mcap.NewReader(bytes.NewReader(data))
	check(err)
	defer r.Close()
	messages, err := r.Messages(mcap.UsingIndex(index))
	if err != nil {
		return "bad"
	}
	for n := 0; ; n++ {
		_, _, _, err := messages.NextInto(nil)
		if errors.Is(err, io.EOF) && n >= want {
			return "good"
		}
		if err != nil {
			return "bad"
		}
	}
}

func main() {
	out := &disk{}
	w, err := mcap.NewWriter(out, &mcap.WriterOptions{Chunked: true, ChunkSize: 20_000})
	check(err)
	check(w.WriteHeader(&mcap.Header{}))
	check(w.WriteSchema(&mcap.Schema{ID: 1, Name: "s", Encoding: "jsonschema", Data: []byte("{}")}))
	check(w.WriteChannel(&mcap.Channel{ID: 1, SchemaID: 1, Topic: "/t", MessageEncoding: "json"}))
	failed := 0
	for n := range 1000 {
		if w.WriteMessage(&mcap.Message{ChannelID: 1, LogTime: uint64(n), Data: make([]byte, 500)}) != nil {
			failed++
		}
	}
	fmt.Printf("%d of 1000 messages failed, Close: %v | ", failed, w.Close())
	fmt.Printf("read in order: %s, by the index: %s\n", read(out.Bytes(), 1000-failed, false), read(out.Bytes(), 1000-failed, true))
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/foxglove/mcap/go/mcap@v1.9.0 >/dev/null 2>&1
got=$(GOWORK=off GOFLAGS=-mod=mod go run .)
echo "$got"
want="1 of 1000 messages failed, Close: <nil> | read in order: bad, by the index: bad"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
