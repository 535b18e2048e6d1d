package mux

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// from is a connection from somewhere, with what it says.
type from struct {
	net.Conn
	address net.Addr
	says    io.Reader
}

func (f from) RemoteAddr() net.Addr             { return f.address }
func (f from) LocalAddr() net.Addr              { return f.address }
func (f from) Read(b []byte) (int, error)       { return f.says.Read(b) }
func (f from) Write(b []byte) (int, error)      { return len(b), nil }
func (f from) Close() error                     { return nil }
func (f from) SetDeadline(time.Time) error      { return nil }
func (f from) SetReadDeadline(time.Time) error  { return nil }
func (f from) SetWriteDeadline(time.Time) error { return nil }

// FuzzDecide checks that whoever gets a connection reads all it says, from the first byte.
func FuzzDecide(f *testing.F) {
	for _, o := range openings {
		f.Add([]byte(o.say))
	}
	m := &Mux{config: Config{TLS: certificate(f)}.withDefaults()}
	m.http, m.turn = newListener(m), newListener(m)
	f.Fuzz(func(t *testing.T, says []byte) {
		c := from{address: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, says: bytes.NewReader(says)}
		to, decided, outcome := m.decide(c)
		if to == nil {
			if outcome == "http" || outcome == "turn" {
				t.Fatalf("%s goes to nobody", outcome)
			}
			return
		}
		got, err := io.ReadAll(decided)
		if err != nil || !bytes.Equal(got, says) {
			t.Fatalf("read %q, %v, but %q was said", got, err, says)
		}
	})
}
