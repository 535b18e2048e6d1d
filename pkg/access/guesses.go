package access

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	// The answer to a wrong token waits, twice as long each time.
	firstDelay = 100 * time.Millisecond
	maxDelay   = 3 * time.Second
	// Wrong guesses beyond these numbers are not held back but refused at once, so that they cannot use up all
	// connections.
	maxWaiting     = 64
	maxWaitingEach = 4
	// maxClients bounds how many clients are remembered, and clientLife for how long after the last guess.
	maxClients = 1024
	clientLife = 15 * time.Minute
	// maxReports bounds how many guesses are worth a line in the log within a minute.
	maxReports = 10
)

// Guesses slows down clients that present wrong tokens. Its memory is bounded. A client is an IPv4 address, or an IPv6
// network of 64 bits: one visitor has all of its addresses. A right token by itself never waits, however many wrong
// ones came from its address, which may be that of a proxy: what cannot be guessed is long, see [MinToken]. The zero
// value is ready for use.
type Guesses struct {
	mu      sync.Mutex
	clients map[string]*client
	waiting int
	minute  time.Time // when reports was 0
	reports int
}

type client struct {
	wrong, waiting int
	last           time.Time
}

// Guess is what became of a wrong guess.
type Guess struct {
	// Client is the address, or network, that it came from.
	Client string
	// Count is how many wrong guesses came from there.
	Count int
	// Report is whether it is worth a line in the log: the first, the tenth, the hundredth …
	Report bool
	// Waited is false if too many guesses are being held back already. This one was not: tell the client that it is too
	// fast.
	Waited bool
}

// Wrong notes a wrong token from an address, host:port, and returns when its answer is due, or when ctx ends.
func (g *Guesses) Wrong(ctx context.Context, address string) Guess {
	guess, delay, done := g.note(Client(address), time.Now())
	if !guess.Waited {
		return guess
	}
	defer done()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return guess
}

// note counts a guess. If it is to wait, done must be called when it has.
func (g *Guesses) note(name string, now time.Time) (guess Guess, delay time.Duration, done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.client(name, now)
	c.wrong++
	c.last = now
	guess = Guess{Client: name, Count: c.wrong, Report: g.report(c.wrong, now)}
	if g.waiting >= maxWaiting || c.waiting >= maxWaitingEach {
		return guess, 0, nil
	}
	guess.Waited = true
	g.waiting++
	c.waiting++
	return guess, min(firstDelay<<min(c.wrong-1, 10), maxDelay), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting--
		c.waiting--
	}
}

// client returns what is remembered of a client, and makes room for a new one by forgetting who was silent for longest.
func (g *Guesses) client(name string, now time.Time) *client {
	if c, ok := g.clients[name]; ok && now.Sub(c.last) < clientLife {
		return c
	}
	if g.clients == nil {
		g.clients = make(map[string]*client)
	}
	for len(g.clients) >= maxClients {
		var oldest string
		for name, c := range g.clients {
			if oldest == "" || c.last.Before(g.clients[oldest].last) {
				oldest = name
			}
		}
		delete(g.clients, oldest)
	}
	c := &client{}
	g.clients[name] = c
	return c
}

// report is whether the n-th guess of a client is to be logged.
func (g *Guesses) report(n int, now time.Time) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	if n != 1 {
		return false
	}
	if now.Sub(g.minute) >= time.Minute {
		g.minute, g.reports = now, 0
	}
	g.reports++
	return g.reports <= maxReports
}

// Client names the client at an address, host:port: its IPv4 address, or its IPv6 network of 64 bits.
func Client(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return "unknown" // a pipe, or a socket without addresses
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, _ := ip.Prefix(64) // 64 bits are not too many for IPv6
	return network.String()
}
