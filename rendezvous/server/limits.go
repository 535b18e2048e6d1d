package server

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Limits bound what robots and clients may use. A field that is 0 has its default.
type Limits struct {
	// Robots is how many may be connected. Default 2000.
	Robots int
	// RobotsPerClient is how many may be connected from one address. Default 100.
	RobotsPerClient int
	// Registrations is how often a second one address may register, and Burst how often at once. Default 5, and at once
	// as many as may be connected, which all come back after a restart, or 100.
	Registrations float64
	Burst         int
	// Requests is how many may be under way to one robot, open WebSockets included. Default 150.
	Requests int
	// RequestsPerClient is how many may be under way from one address, to all robots. Default 100.
	RequestsPerClient int
	// Connections is how many one address may have. Default 500.
	Connections int
}

// registering bounds how many robots may be in the middle of a registration.
const registering = 128

func (l *Limits) defaults() {
	for field, value := range map[*int]int{
		&l.Robots: 2000, &l.RobotsPerClient: 100, &l.Requests: 150, &l.RequestsPerClient: 100,
		&l.Connections: 500,
	} {
		if *field == 0 {
			*field = value
		}
	}
	if l.Burst == 0 {
		l.Burst = max(100, l.RobotsPerClient)
	}
	if l.Registrations == 0 {
		l.Registrations = 5
	}
}

// tally counts what each client has of something.
type tally struct {
	most int

	mu   sync.Mutex
	each map[string]int
}

func newTally(most int) *tally { return &tally{most: most, each: map[string]int{}} }

// add counts one more; false if the client has all it may have.
func (t *tally) add(client string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.each[client] >= t.most {
		return false
	}
	t.each[client]++
	return true
}

func (t *tally) remove(client string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.each[client]--; t.each[client] <= 0 {
		delete(t.each, client)
	}
}

// maxPaced bounds how many clients a pacer remembers.
const maxPaced = 4096

// pacer slows down each client.
type pacer struct {
	limit rate.Limit
	burst int

	mu   sync.Mutex
	each map[string]*rate.Limiter
}

func newPacer(limit float64, burst int) *pacer {
	return &pacer{limit: rate.Limit(limit), burst: burst, each: map[string]*rate.Limiter{}}
}

// allow reports whether the client may go on now.
func (p *pacer) allow(client string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.each[client]
	if !ok {
		p.prune(now)
		l = rate.NewLimiter(p.limit, p.burst)
		p.each[client] = l
	}
	return l.AllowN(now, 1)
}

// prune makes room for a client by forgetting those that may do again all they might, or, if there are none, all.
func (p *pacer) prune(now time.Time) {
	if len(p.each) < maxPaced {
		return
	}
	for client, l := range p.each {
		if l.TokensAt(now) >= float64(p.burst) {
			delete(p.each, client)
		}
	}
	if len(p.each) >= maxPaced {
		clear(p.each)
	}
}

// connections closes what a client opens beyond its limit. It is the ConnState of an [http.Server]. Connections of
// robots count as such once they are registered, and those of a proxy on this machine are of many clients.
type connections struct {
	tally *tally

	mu      sync.Mutex
	counted map[net.Conn]string
}

func newConnections(most int) *connections {
	return &connections{tally: newTally(most), counted: map[net.Conn]string{}}
}

func (c *connections) change(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		client := access.Client(conn.RemoteAddr().String())
		if fromLoopback(conn.RemoteAddr().String()) {
			return
		}
		if !c.tally.add(client) {
			_ = conn.Close() // it has nothing to lose
			return
		}
		c.mu.Lock()
		c.counted[conn] = client
		c.mu.Unlock()
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		client, ok := c.counted[conn]
		delete(c.counted, conn)
		c.mu.Unlock()
		if ok {
			c.tally.remove(client)
		}
	}
}

// fromLoopback reports whether an address, host:port, is one of this machine.
func fromLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
