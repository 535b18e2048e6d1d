#!/bin/bash
# go2rtc never answers an RTMP client that says which codecs it knows.
#
# Enhanced RTMP v1 (Veovera, section "Enhancing NetConnection connect Command") has clients list their codecs in the
# command connect: fourCcList, a strict array of AMF 0 (type 10). The server in pkg/rtmp of github.com/AlexxIT/go2rtc
# v1.9.14 (Go 1.26) cannot read arrays of that type, and skips a command that it cannot read without an answer. The
# client waits until it gives up. Other servers need the list: mediamtx v1.20.1 keeps H.265 from those who do not send it.
#
# Seen:  without list: _result | with list: no answer
#
# So Waldo asks such a server again without the list after a second (services/rtsp-ingest/rtmp, welcomed;
# TestPullFromServersThatDoNotKnowLists, and TestGo2rtc in e2e).
set -euo pipefail
cd "$(mktemp -d)"
trap 'chmod -R u+w "$PWD"; rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net"
	"time"

	"github.com/AlexxIT/go2rtc/pkg/rtmp"
	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"
)

func answer(about amf0.Object) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if server, err := rtmp.NewServer(conn); err == nil {
			_ = server.ReadCommands()
		}
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	counted := bytecounter.NewReadWriter(conn)
	if _, _, err := handshake.DoClient(counted, false, false); err != nil {
		panic(err)
	}
	messages := message.NewReadWriter(counted, counted, false)
	if err := messages.Write(&message.CommandAMF0{ChunkStreamID: 3, Name: "connect", CommandID: 1, Arguments: []any{about}}); err != nil {
		panic(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		m, err := messages.Read()
		if err != nil {
			return "no answer"
		}
		if c, ok := m.(*message.CommandAMF0); ok {
			return c.Name
		}
	}
}

func main() {
	about := amf0.Object{{Key: "app", Value: "cam"}, {Key: "tcUrl", Value: "rtmp://127.0.0.1/cam"}}
	without := answer(about)
	with := answer(append(about, amf0.ObjectEntry{Key: "fourCcList", Value: amf0.StrictArray{"avc1", "hvc1"}}))
	fmt.Println("without list:", without, "| with list:", with)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/AlexxIT/go2rtc@v1.9.14 github.com/bluenviron/gortmplib@v1.0.0 >/dev/null 2>&1
got=$(GOWORK=off GOFLAGS=-mod=mod go run .)
echo "$got"
[ "$got" = "without list: _result | with list: no answer" ] || { echo "this has changed" >&2; exit 1; }
