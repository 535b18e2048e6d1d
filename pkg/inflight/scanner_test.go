package inflight

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"
)

func frameOf(kind, flags byte, stream uint32, body []byte) []byte {
	n := len(body)
	frame := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return append(binary.BigEndian.AppendUint32(frame, stream), body...)
}

// frames returns what a scanner finds in data that comes in pieces of the given size.
func frames(data []byte, piece int) (found []string, between bool) {
	s := scanner{frame: func(h head, body []byte) { found = append(found, fmt.Sprintf("%+v %x", h, body)) }}
	for part := range slices.Chunk(data, max(piece, 1)) {
		s.feed(part)
	}
	return found, s.between()
}

func FuzzFrames(f *testing.F) {
	whole := slices.Concat(frameOf(typeSettings, 0, 0, nil), frameOf(0, 0, 1, make([]byte, 300)),
		frameOf(typeWindowUpdate, 0, 1, []byte{0, 0, 1, 0}),
		frameOf(typePing, flagAck, 0, make([]byte, 8)), frameOf(typeHeaders, flagEndHeaders, 3, make([]byte, maxBody+1)))
	f.Add(whole, 1)
	f.Add(whole, 7)
	f.Add(whole[:len(whole)-1], 100)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		want, atOnce := frames(data, len(data))
		if got, between := frames(data, piece%100); !slices.Equal(got, want) || between != atOnce {
			t.Errorf("in pieces of %d: %v, at an end %v; want %v, %v", piece, got, between, want, atOnce)
		}
	})
}

// deadEnd is a connection with nobody at the other end, on another host.
type deadEnd struct{ net.Conn }

func (deadEnd) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

func (deadEnd) Write(p []byte) (int, error) { return len(p), nil }

// FuzzConn: no input makes it panic, and the state kept is bounded.
func FuzzConn(f *testing.F) {
	update := frameOf(typeWindowUpdate, 0, 1, []byte{0, 0, 1, 0})
	f.Add(slices.Concat(frameOf(typeHeaders, flagEndHeaders, 1, nil), update, frameOf(typeReset, 0, 1, nil), update),
		frameOf(typeHeaders, flagEndHeaders, 1, []byte{0x88}))
	f.Add(frameOf(typeSettings, 0, 0, []byte{0, 4, 0xff, 0xff, 0xff, 0xff, 0}),
		frameOf(typeHeaders, flagEndHeaders|flagEndStream, 1, []byte{0xff, 0xff, 0xff}))
	f.Fuzz(func(t *testing.T, in, out []byte) {
		r := New(context.Background(), slog.New(slog.DiscardHandler))
		call := &call{id: "a", wake: make(chan struct{}, 1)}
		r.calls["a"] = call
		c := newConn(deadEnd{}, r)
		c.in.skip = 0
		for range 3 {
			c.in.feed(in)
			if _, err := c.Write(out); err != nil {
				t.Fatal(err)
			}
			c.ping()
		}
		if len(c.credits) > maxStreams || len(c.calls) > len(c.credits) {
			t.Errorf("%d streams and %d calls are remembered", len(c.credits), len(c.calls))
		}
	})
}

// TestPingsGoBetweenFrames: never into the middle of one, in whatever pieces gRPC writes.
func TestPingsGoBetweenFrames(t *testing.T) {
	whole := slices.Concat(frameOf(0, 0, 1, make([]byte, 50)), frameOf(0, 0, 1, nil), frameOf(0, 0, 1, make([]byte, 20)))
	for piece := 1; piece <= len(whole); piece++ {
		server, client := net.Pipe()
		c := newConn(server, New(context.Background(), slog.New(slog.DiscardHandler)))
		written := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(client)
			written <- all
		}()
		for part := range slices.Chunk(whole, piece) {
			if _, err := c.Write(part); err != nil {
				t.Fatal(err)
			}
			c.asked = c.asked.Truncate(0).AddDate(-1, 0, 0) // the last was long ago
			c.ping()
		}
		_ = server.Close()
		all := <-written
		found, between := frames(all, len(all))
		pings := 0
		for _, one := range found {
			if one[:len("{length:8 kind:6")] == "{length:8 kind:6" {
				pings++
			}
		}
		if !between || pings == 0 || len(found)-pings != 3 {
			t.Errorf("pieces of %d: %d pings among %d frames, at an end %v: %v", piece, pings, len(found), between, found)
		}
	}
}

// TestWindowGrows: a client that raises its window sends updates more seldom from then on, so a call
// that started earlier uses the new window at once. Waiting for an update first would take forever.
func TestWindowGrows(t *testing.T) {
	r := New(context.Background(), slog.New(slog.DiscardHandler))
	call := &call{id: "a", wake: make(chan struct{}, 1)}
	c := newConn(deadEnd{}, r)
	call.conn, c.calls[1], c.credits[1] = c, call, 0
	c.in.skip = 0
	c.tell(1)
	call.total = defaultWindow/2 + 1
	<-call.wake
	if call.hasRoom(time.Time{}) {
		t.Fatal("more than half of the window is in flight, and there is room")
	}
	c.in.feed(frameOf(typeSettings, 0, 0, []byte{0, settingInitialWindow, 0, 0x10, 0, 0}))
	select {
	case <-call.wake:
	default:
		t.Error("the call that waits is not woken")
	}
	if !call.hasRoom(time.Time{}) {
		t.Error("there is no room in a window of 1 MiB")
	}
}
