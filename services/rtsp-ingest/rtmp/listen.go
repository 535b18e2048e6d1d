package rtmp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxGuests = 16               // connections whose key is not known yet …
	maxOfOne  = 8                // … and how many of them may come from one host
	warnRate  = 10 * time.Second // how often people are told of publishers that were refused
)

// ListenConfig says where publishers may come.
type ListenConfig struct {
	Address string         // host:port
	Key     address.Secret // the stream key; required
	TLS     *tls.Config    // with a certificate: publishers come by RTMPS, and by nothing else; nil for RTMP
	Log     *slog.Logger   // of refused publishers; nil for none
	Limits  Limits         // Connect and Codecs are not used
}

func (c *ListenConfig) scheme() string {
	if c.TLS != nil {
		return "rtmps"
	}
	return "rtmp"
}

// Listener waits for publishers. Its methods may be called from any goroutine.
type Listener struct {
	config   ListenConfig
	listener net.Listener
	cancel   context.CancelFunc // ends what waits
	running  sync.WaitGroup
	guesses  access.Guesses

	mu      sync.Mutex
	guests  map[net.Conn]string // and their hosts
	current *Conn               // the publisher, waiting or running
	waiting bool                // nobody has taken it yet
	told    bool                // people know that nobody publishes
	refused error               // why somebody who wanted to publish may not; nil once that is told
	warned  time.Time           // when the last one was noted
	closed  bool
	changed chan struct{} // has one if waiting or refused may have changed
}

// Listen begins to accept publishers.
func Listen(config ListenConfig) (*Listener, error) {
	config.Limits = config.Limits.filled()
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Key == "" {
		return nil, feed.Failf(feed.Misspelled, "key",
			"key: the stream key is missing: choose one, and give it to the publisher")
	}
	listener, err := net.Listen("tcp", config.Address)
	if err != nil {
		return nil, feed.Failf(feed.Misspelled, "listen",
			"listen: %s cannot be listened at: choose a free port, and an address of this machine",
			config.Address)
	}
	return listenAt(config, listener), nil
}

// listenAt begins to accept publishers from a listener.
func listenAt(config ListenConfig, listener net.Listener) *Listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Listener{
		config: config, listener: listener, cancel: cancel, guests: map[net.Conn]string{},
		changed: make(chan struct{}, 1),
	}
	l.running.Go(func() { l.accept(ctx) })
	return l
}

// Addr is where publishers may come.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close ends everything, and waits until it has ended, but for a Run, which ends soon.
func (l *Listener) Close() error {
	l.cancel()
	l.mu.Lock()
	l.closed = true
	for guest := range l.guests {
		_ = guest.Close() // it has said nothing yet
	}
	if l.current != nil {
		l.current.end(errors.New("closed"))
	}
	l.mu.Unlock()
	err := l.listener.Close()
	l.running.Wait()
	return err
}

// Open waits for a publisher that nobody has taken yet. If none comes, it returns an error that says so, and later,
// while it waits again, one for each publisher that was refused or sends no pictures: then people know why there is
// none.
func (l *Listener) Open(ctx context.Context) (*Conn, error) {
	alone := time.NewTimer(l.config.Limits.Alone)
	defer alone.Stop()
	for {
		c, refused := l.take()
		switch {
		case c != nil:
			return l.found(c, c.find(ctx))
		case refused != nil:
			return nil, refused
		}
		select {
		case <-l.changed:
		case <-alone.C:
			if l.tell() {
				return nil, l.nobody()
			}
		case <-ctx.Done():
			return nil, l.nobody()
		}
	}
}

// found returns a publisher whose video was looked for. One that has sent none yet waits to be taken again.
func (l *Listener) found(c *Conn, err error) (*Conn, error) {
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, errBlind):
		l.mu.Lock()
		defer l.mu.Unlock()
		l.waiting = true // c, or the one that took its place meanwhile
	default:
		c.end(err)
	}
	return nil, err
}

func (l *Listener) nobody() error {
	return feed.Failf(feed.Unreachable, "listen", "nobody publishes at %s://%s: start the publisher, and check its "+
		"address and stream key", l.config.scheme(), l.Addr())
}

// tell notes that people are told that nobody publishes. It returns false if they know.
func (l *Listener) tell() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.told
	l.told = true
	return !before
}

// take returns a publisher that waits, or why one was refused. Either is returned once.
func (l *Listener) take() (*Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	refused := l.refused
	l.refused = nil
	if !l.waiting {
		return nil, refused
	}
	l.waiting, l.told = false, false
	return l.current, nil
}

// accept takes connections until the listener is closed.
func (l *Listener) accept(ctx context.Context) {
	for wait := time.Duration(0); ; {
		conn, err := l.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many files are open, mostly: another attempt at once would fail too
			wait = min(max(2*wait, shortWait), longWait)
			if !pause(ctx, wait) {
				return
			}
			continue
		}
		wait = 0
		if !l.enter(conn) {
			_ = conn.Close() // too many strangers: there is nothing to say to one more
			continue
		}
		l.running.Go(func() {
			defer l.leave(conn)
			l.greet(ctx, conn)
		})
	}
}

// Waits after an Accept that failed.
const shortWait, longWait = 5 * time.Millisecond, time.Second

// pause waits; it returns false if ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
