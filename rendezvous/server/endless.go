package server

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"time"
)

// pictureTimeout is how long a client may take for each piece of an answer without an end.
const pictureTimeout = 10 * time.Second

// endless is an answer that may have no end: that of a camera's pictures, each of which replaces the one before. Other
// answers must have ended when the server's times for reading and writing are over; this one goes on while the client
// reads.
type endless struct {
	http.ResponseWriter
	goesOn bool
}

// Unwrap serves [http.ResponseController].
func (w *endless) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements [http.Hijacker].
func (w *endless) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// WriteHeader implements [http.ResponseWriter].
func (w *endless) WriteHeader(code int) {
	if strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/x-mixed-replace") {
		// The server reads until the end of the answer, to learn whether the client is still there.
		w.goesOn = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Time{}) == nil
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements [http.ResponseWriter].
func (w *endless) Write(b []byte) (int, error) {
	if w.goesOn {
		if err := http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(pictureTimeout)); err != nil {
			return 0, err
		}
	}
	return w.ResponseWriter.Write(b)
}
