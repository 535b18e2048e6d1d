package server

import (
	"bufio"
	"net"
	"net/http"
)

// whole is an answer whose connection, once it is that of a WebSocket, has no halves: when the robot's end of it has
// ended, so has the client's. The proxy would otherwise wait for the client to agree, and one that has lost its network
// never does: its request would count against the limits, and keep the server from stopping, until TCP gives up.
type whole struct{ http.ResponseWriter }

// Unwrap serves [http.ResponseController].
func (w whole) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements [http.Hijacker].
func (w whole) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return struct{ net.Conn }{conn}, buffers, nil
}
