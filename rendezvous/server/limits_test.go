package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

// TestFlood: a robot that connects all the time is slowed down, and others from elsewhere are not.
func TestFlood(t *testing.T) {
	s := serve(t, nil, Config{Limits: Limits{Registrations: 0.001, Burst: 10}})
	key := newKey(t)
	good := 0
	for range 200 {
		_, err := s.connect("mad", key, echo)
		refused := new(tunnel.RefusedError)
		switch {
		case err == nil:
			good++
		case !errors.As(err, &refused) || refused.Wait <= 0 || !strings.Contains(refused.Text, "too many registrations"):
			t.Fatalf("it is refused with %v", err)
		}
	}
	if good != 10 {
		t.Errorf("%d registrations, want 10", good)
	}
	// a proxy on this machine says who the client is
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/robot", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", "203.0.113.1")
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("another client: %s", answer.Status)
	}
	if text := s.log.String(); strings.Count(text, "\n") > 100 {
		t.Errorf("the log has %d lines", strings.Count(text, "\n"))
	}
}

// TestRoom: there are only so many robots, and one that is back needs no room.
func TestRoom(t *testing.T) {
	for name, tt := range map[string]struct {
		limits Limits
		says   string
	}{
		"of the server":  {Limits{Robots: 2}, "--max-robots"},
		"of the address": {Limits{RobotsPerClient: 2}, "--max-robots-per-address"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil, Config{Limits: tt.limits})
			key := newKey(t)
			if _, err := s.connect("one", key, echo); err != nil {
				t.Fatal(err)
			}
			two := s.robot("two", echo)
			if _, err := s.connect("three", newKey(t), echo); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the third: %v", err)
			}
			if _, err := s.connect("one", key, echo); err != nil {
				t.Errorf("the first is back: %v", err)
			}
			_ = two.Close()
			s.awaitGone("two")
			if _, err := s.connect("three", newKey(t), echo); err != nil {
				t.Errorf("the third, when there is room: %v", err)
			}
		})
	}
}

// TestRequests: only so many requests are under way, to a robot and from a client.
func TestRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		limits Limits
		code   int
	}{
		"to a robot":    {Limits{Requests: 2}, http.StatusServiceUnavailable},
		"from a client": {Limits{RequestsPerClient: 2}, http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil, Config{Limits: tt.limits})
			began, finish := make(chan struct{}), make(chan struct{})
			s.robot("rover", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					began <- struct{}{}
					<-finish
				}
			}))
			var slow sync.WaitGroup
			for range 2 {
				slow.Go(func() { s.do("GET", "/r/rover/slow", "") })
				<-began
			}
			if answer, body := s.do("GET", "/r/rover/", ""); answer.StatusCode != tt.code ||
				answer.Header.Get("Retry-After") == "" {
				t.Errorf("one more: %s %s", answer.Status, body)
			}
			close(finish)
			slow.Wait()
			if answer, body := s.do("GET", "/r/rover/", ""); answer.StatusCode != http.StatusOK {
				t.Errorf("when they are done: %s %s", answer.Status, body)
			}
		})
	}
}

// TestPacer: each client has its own pace, and no number of them uses up the memory.
func TestPacer(t *testing.T) {
	p := newPacer(1, 2)
	now := time.Unix(1_000_000, 0)
	for i, want := range []bool{true, true, false} {
		if p.allow("a", now) != want {
			t.Errorf("the %d. time", i+1)
		}
	}
	if !p.allow("b", now) || !p.allow("a", now.Add(time.Second)) {
		t.Error("another client, or a later time, is refused")
	}
	for i := range 3 * maxPaced {
		p.allow(fmt.Sprint(i), now)
	}
	if len(p.each) > maxPaced {
		t.Errorf("%d clients are remembered", len(p.each))
	}
}

// conn is a connection from an address.
type conn struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (c *conn) RemoteAddr() net.Addr { return c.from }
func (c *conn) Close() error         { c.closed = true; return nil }

// TestConnections: a client has only so many connections, those of registered robots aside.
func TestConnections(t *testing.T) {
	c := newConnections(2)
	open := func(from string) *conn {
		at, err := net.ResolveTCPAddr("tcp", from)
		if err != nil {
			t.Fatal(err)
		}
		conn := &conn{from: at}
		c.change(conn, http.StateNew)
		return conn
	}
	first, second, third := open("203.0.113.1:1"), open("203.0.113.1:2"), open("203.0.113.1:3")
	if first.closed || second.closed || !third.closed {
		t.Errorf("closed: %v, %v, %v", first.closed, second.closed, third.closed)
	}
	c.change(third, http.StateClosed)
	c.change(first, http.StateHijacked)
	if open("203.0.113.1:4").closed || !open("203.0.113.1:5").closed || open("203.0.113.2:1").closed {
		t.Error("the limit is not the client's own, or counts what is gone")
	}
	for i := range 5 {
		if open(fmt.Sprintf("127.0.0.1:%d", i+1)).closed {
			t.Error("a proxy on this machine is limited")
		}
	}
}

// TestSlow: who begins a registration and says nothing more is given up, and does not hinder others.
func TestSlow(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, Config{})
	var silent []net.Conn
	for range 20 {
		c, err := (&net.Dialer{}).DialContext(context.WithoutCancel(t.Context()), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = fmt.Fprint(c, "GET /robot HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: "+
			"waldo.tunnel.v1\r\n\r\n")
		silent = append(silent, c)
	}
	s.robot("rover", echo)
	if answer, _ := s.do("GET", "/r/rover/", ""); answer.StatusCode != http.StatusCreated {
		t.Errorf("the others: %s", answer.Status)
	}
	_ = silent[0].SetReadDeadline(time.Now().Add(deadline))
	for buffer := make([]byte, 1024); ; {
		if _, err := silent[0].Read(buffer); err != nil {
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("it is not given up")
			}
			break
		}
	}
}
