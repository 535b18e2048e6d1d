package mux

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says what a port accepts. The zero Config serves it without TLS.
type Config struct {
	TLS      *tls.Config           // nil refuses TLS; NextProtos should be "h2" and "http/1.1"
	Patience time.Duration         // how long a connection may be undecided; 0 means 10 s
	Limits   Limits                // of undecided connections
	Metrics  prometheus.Registerer // nil keeps the counters to itself
}

// Limits bound how many connections may be undecided at a time.
type Limits struct {
	Total      int // 0 means 1024
	PerAddress int // of one IPv4 address, or one /64 of IPv6; 0 means 64
}

func (c Config) withDefaults() Config {
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	if c.Limits.Total == 0 {
		c.Limits.Total = 1024
	}
	if c.Limits.PerAddress == 0 {
		c.Limits.PerAddress = 64
	}
	return c
}

// Mux tells the connections of one port apart.
type Mux struct {
	config     Config
	port       net.Listener
	http, turn *listener
	waiting    *waiting
	metrics    *metrics
	done       chan struct{}
	close      sync.Once
	goroutines sync.WaitGroup
}

// New accepts connections of a port, which belongs to the Mux from now on.
func New(port net.Listener, config Config) (*Mux, error) {
	m := &Mux{config: config.withDefaults(), port: port, done: make(chan struct{})}
	m.http, m.turn = newListener(m), newListener(m)
	m.waiting = newWaiting(m.config.Limits)
	m.metrics = newMetrics(m.waiting.count)
	if config.Metrics != nil {
		if err := config.Metrics.Register(m.metrics); err != nil {
			return nil, errors.Join(err, port.Close())
		}
	}
	m.goroutines.Go(m.accept)
	return m, nil
}

// HTTP returns the listener of the connections that speak HTTP. Those that agreed on it are [*tls.Conn]; see [Secure]
// for the others. Closing it closes nothing else, and refuses HTTP from then on.
func (m *Mux) HTTP() net.Listener { return m.http }

// TURN returns the listener of the connections that speak STUN or TURN.
func (m *Mux) TURN() net.Listener { return m.turn }

// Close closes the port and the connections that are undecided.
func (m *Mux) Close() error {
	var err error
	m.close.Do(func() {
		close(m.done)
		err = m.port.Close()
		m.waiting.close()
	})
	m.goroutines.Wait()
	if m.config.Metrics != nil {
		m.config.Metrics.Unregister(m.metrics)
	}
	return err
}

// accept also goes on after an error, such as too many open files, unless the port is closed.
func (m *Mux) accept() {
	const longest = time.Second
	pause := time.Duration(0)
	for {
		c, err := m.port.Accept()
		switch {
		case err == nil:
			pause = 0
			m.take(c)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(max(2*pause, 5*time.Millisecond), longest)
			m.metrics.add("accept_failed")
			select {
			case <-time.After(pause):
			case <-m.done:
				return
			}
		}
	}
}

// take decides about a connection without anybody having to wait for it.
func (m *Mux) take(c net.Conn) {
	ticket, crowded := m.waiting.add(c)
	if crowded {
		m.metrics.add("crowded_out")
	}
	m.goroutines.Go(func() {
		to, decided, outcome := m.decide(c)
		m.waiting.remove(ticket)
		if to != nil && to.give(decided) {
			m.metrics.add(outcome)
			return
		}
		_ = c.Close()
		if to != nil {
			outcome = "closed"
		}
		m.metrics.add(outcome)
	})
}
