package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestSilentClient: a client with a WebSocket that has lost its network agrees to nothing. When the robot ends the
// WebSocket, the request is over, and the server can stop.
func TestSilentClient(t *testing.T) {
	s := serve(t, nil, Config{})
	accepted := make(chan *websocket.Conn, 1)
	s.robot("rover", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if socket, err := websocket.Accept(w, r, nil); err == nil {
			accepted <- socket
		}
	}))
	client, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := io.WriteString(client, "GET /r/rover/signal HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", answer, err)
	}
	_ = (<-accepted).CloseNow()
	// The client's end is closed although it has not closed its own.
	if _, err := io.Copy(io.Discard, client); err != nil {
		t.Logf("it is told: %v", err)
	}
	s.close()
}
