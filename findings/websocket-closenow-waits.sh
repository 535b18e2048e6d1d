#!/bin/bash
# CloseNow of github.com/coder/websocket does not cut short a Close that waits for the far end.
#
# github.com/coder/websocket v1.8.15 (Go 1.26): Close sends a close frame and waits up to 5 s for the far end's. CloseNow,
# "without attempting a close handshake", called meanwhile from another goroutine does nothing but wait for that Close. A
# program that gives the far end less time to agree has to end the context of its reader, which closes the connection.
#
# Seen:  with CloseNow after 0.2 s, Close took 5 s | with the reader's context ended after 0.2 s, 0.2 s
#
# So Waldo ends the reader's context (services/webrtc-gateway/server, pkg/peer, rendezvous/tunnel).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/coder/websocket"
)

// closing measures how long Close takes, towards a client that does not read, when hurry is called after 0.2 s.
func closing(hurry func(*websocket.Conn, context.CancelFunc)) time.Duration {
	took := make(chan time.Duration)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			panic(err)
		}
		reading, cancel := context.WithCancel(context.Background())
		defer cancel()
		conn.Read(reading) // the first message
		go conn.Read(reading)
		time.Sleep(200 * time.Millisecond) // that Read waits now
		time.AfterFunc(200*time.Millisecond, func() { hurry(conn, cancel) })
		began := time.Now()
		conn.Close(websocket.StatusGoingAway, "")
		took <- time.Since(began)
	}))
	defer s.Close()
	conn, _, err := websocket.Dial(context.Background(), s.URL, nil)
	if err != nil {
		panic(err)
	}
	defer conn.CloseNow()
	conn.Write(context.Background(), websocket.MessageText, []byte("hello"))
	return <-took
}

func main() {
	now := closing(func(c *websocket.Conn, _ context.CancelFunc) { c.CloseNow() })
	ended := closing(func(_ *websocket.Conn, cancel context.CancelFunc) { cancel() })
	fmt.Printf("with CloseNow after 0.2 s, Close took %.0f s | with the reader's context ended after 0.2 s, %.1f s\n",
		now.Seconds(), ended.Seconds())
	if now < 4*time.Second || ended > 2*time.Second {
		panic("this has changed")
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/coder/websocket@v1.8.15 >/dev/null 2>&1
GOWORK=off GOFLAGS=-mod=mod go run .
