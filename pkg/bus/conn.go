package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/socket"
)

const (
	minReconnectWait = 20 * time.Millisecond
	maxReconnectWait = 500 * time.Millisecond
	// A server that vanished without closing the socket is given up after two pings.
	pingInterval = 2 * time.Second
	maxPingsOut  = 2
	// stuckAfter bounds the wait for a network that takes no more bytes, and for one that does not answer a dial.
	stuckAfter = 2 * time.Second
	// inboxSize is how many parts of an answer may wait. The default of NATS would cost half a megabyte for every call.
	inboxSize = 1024
	// lastFlush bounds the wait at Close for what was published before.
	lastFlush = 500 * time.Millisecond
)

var errClosed = errors.New("the connection to the bus was closed")

// Config describes how to connect. Only URL is required.
type Config struct {
	// URL of the server, for example nats://127.0.0.1:4222; several may be given with commas between.
	URL string
	// Name shown to the server's operator.
	Name string
	// Token for servers that want one.
	Token string
	// Seed is the key of a process that the server knows; nil for none. It is used instead of the token.
	Seed *keys.Seed
	// CA is a PEM file with the authorities that are trusted if the server has TLS; empty: those of the system. A URL that
	// begins with tls:// wants TLS.
	CA string
	// Away returns why a robot as a whole cannot be reached, empty if it can; errors of calls to its devices then say so
	// instead of blaming the device. Nil: nobody knows.
	Away func(robot string) string
	// Remedy returns what to do about a trouble with the server, as it is logged; empty if there is nothing more to say.
	// Nil: there is not.
	Remedy func(trouble string) string
	// Log receives connects and disconnects. Default: nothing is logged.
	Log *slog.Logger
	// Metrics is where waldo_bus_* are registered until Close; it can take one connection. Default: nowhere.
	Metrics prometheus.Registerer
}

// ConnCloser is a [Conn] in the hands of its owner, who ends it with Close. Pass on the Conn, which cannot be closed.
type ConnCloser struct {
	*Conn
	end func()
}

// Close ends everything that uses the connection and waits for it; do not call it from a handler of a service. What was
// published before is sent first, as far as that is possible within half a second. Nothing is logged afterwards. It may
// be called more than once.
func (c *ConnCloser) Close() { c.end() }

// Conn is a connection to the bus that reconnects by itself. See the package comment.
type Conn struct {
	nc         *nats.Conn
	begun      time.Time
	log        *slog.Logger
	away       func(robot string) string // nil: nobody knows
	remedy     func(trouble string) string
	metrics    *metrics
	parts      *store
	registerer prometheus.Registerer // nil for none

	// link is nil while the server is away. It is kept here because NATS's own state cannot be read while it dials.
	link atomic.Pointer[link]

	trouble atomic.Pointer[string]

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	holds   sync.WaitGroup // their goroutines
	adopted sync.WaitGroup // services and subscriptions; NATS runs goroutines for them

	mu        sync.Mutex
	closed    bool
	handled   bool // NATS's first callback has run
	nextID    int
	onConnect map[int]func()
	open      map[int]func() // ends what was adopted

	refusals refusals

	logging sync.Mutex
	silent  bool   // Close was called
	told    string // the last that was logged
}

// link is one stretch of being connected; its context ends with it.
type link struct {
	ctx context.Context
	cut context.CancelFunc
}

// Connect starts connecting and returns at once, whether the server is there or not; only a server that takes the
// connection and then stays silent can delay it, by 2 s at most. It fails only on an invalid Config.
func Connect(cfg Config) (*ConnCloser, error) {
	if cfg.URL == "" {
		return nil, errors.New("nats url: missing; the usual one is nats://127.0.0.1:4222")
	}
	if err := access.CheckBusURL(cfg.URL); err != nil {
		return nil, fmt.Errorf("nats url %w", err)
	}
	trust, err := certs.Client(cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("nats ca: %w", err)
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Conn{begun: time.Now(), log: log, away: cfg.Away, remedy: cfg.Remedy, registerer: cfg.Metrics,
		onConnect: map[int]func(){}, open: map[int]func(){}}
	c.metrics = newMetrics(c.Connected)
	c.parts = newStore(c.metrics)
	if c.registerer != nil {
		if err := c.registerer.Register(c.metrics); err != nil {
			return nil, fmt.Errorf("metrics of the bus: %w", err)
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	nc, err := nats.Connect(cfg.URL, c.options(cfg, trust)...)
	if err != nil {
		c.cancel()
		c.forgetMetrics()
		// The error of the library is given as text, in case that it repeats the url.
		return nil, fmt.Errorf("nats url %s: %s", access.RedactURL(cfg.URL), access.RedactText(err.Error()))
	}
	c.nc = nc
	c.begin()
	return &ConnCloser{Conn: c, end: sync.OnceFunc(c.shutDown)}, nil
}

func (c *Conn) options(cfg Config, trust *tls.Config) []nats.Option {
	options := []nats.Option{
		func(o *nats.Options) error { // not nats.Secure, which wants TLS of every server
			o.TLSConfig = trust
			return nil
		},
		nats.Name(cfg.Name),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // the server may be given the right token later
		nats.CustomReconnectDelay(reconnectWait),
		nats.ReconnectBufSize(-1), // keep nothing for later
		nats.SetCustomDialer(dialer{}),
		nats.Timeout(stuckAfter),
		nats.FlusherTimeout(stuckAfter),
		nats.SyncQueueLen(inboxSize),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPingsOut),
		nats.ConnectHandler(c.connected),
		nats.ReconnectHandler(c.connected),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.disconnected(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.complain("the bus is not reachable; trying again", err) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			switch {
			case c.refused(err):
			case sub != nil:
				c.complain("bus: "+sub.Subject, err)
			default:
				c.complain("bus", err)
			}
		}),
	}
	return append(options, credentials(cfg)...)
}

// credentials say who we are, and where our answers are.
func credentials(cfg Config) []nats.Option {
	switch id, named := tokenID(cfg.Token); {
	case cfg.Seed != nil:
		return []nats.Option{nats.Nkey(cfg.Seed.Public(), cfg.Seed.Sign), inbox(cfg.Seed.Public())}
	case named:
		return []nats.Option{nats.Token(cfg.Token), inbox(id)}
	case cfg.Token != "":
		return []nats.Option{nats.Token(cfg.Token)}
	}
	return nil
}

// dialer connects to the server.
type dialer struct{}

// Dial implements [nats.CustomDialer].
func (dialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, stuckAfter)
	if err != nil {
		return nil, err
	}
	return socket.Stream(c), nil
}

// reconnectWait doubles with every attempt: fast for a server that only restarted, bearable for one that is gone for
// good. NATS counts the attempts from 1, asks before every one after the first connect, and starts over when it was
// connected.
func reconnectWait(attempts int) time.Duration {
	return min(minReconnectWait<<min(attempts, 10), maxReconnectWait)
}

// begin puts the link up at once if the server was there: NATS's callback for that may run much later, and not before
// others have run.
func (c *Conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.handled && c.nc.IsConnected() {
		c.link.Store(newLink())
	}
}

// connected is NATS's callback. NATS runs its callbacks one after the other, in the order of what they report, and
// possibly late: even after Close.
func (c *Conn) connected(nc *nats.Conn) {
	listeners := c.linkUp()
	c.tell(slog.LevelInfo, "connected to the bus", "url", access.RedactURL(nc.ConnectedUrl()))
	for _, f := range listeners {
		f()
	}
}

func (c *Conn) disconnected(err error) {
	c.linkDown()
	c.tell(slog.LevelWarn, "lost the bus; reconnecting", "error", redacted(err))
}

// complain logs a trouble once, not on every attempt.
func (c *Conn) complain(what string, err error) {
	text := redacted(err)
	c.trouble.Store(&text)
	args := []any{"error", text}
	if c.remedy != nil {
		if remedy := c.remedy(text); remedy != "" {
			args = append(args, "remedy", remedy)
		}
	}
	c.tell(slog.LevelWarn, what, args...)
}

// Trouble returns the last error that NATS has reported, fit to be shown; empty for none.
func (c *Conn) Trouble() string {
	if text := c.trouble.Load(); text != nil {
		return *text
	}
	return ""
}

// redacted is an error of the library without what it may repeat of a URL.
func redacted(err error) string {
	if err == nil { // the connection was closed on purpose
		return ""
	}
	return access.RedactText(err.Error())
}

// tell logs what NATS reports, until Close, and nothing twice in a row.
func (c *Conn) tell(level slog.Level, what string, args ...any) {
	c.logging.Lock()
	defer c.logging.Unlock()
	text := fmt.Sprint(what, args)
	if !c.silent && text != c.told {
		c.told = text
		c.log.Log(context.Background(), level, what, args...)
	}
}

// say logs until Close.
func (c *Conn) say(level slog.Level, what string, args ...any) {
	c.logging.Lock()
	defer c.logging.Unlock()
	if !c.silent {
		c.log.Log(context.Background(), level, what, args...)
	}
}

func newLink() *link {
	l := &link{}
	l.ctx, l.cut = context.WithCancel(context.Background())
	return l
}

// linkUp returns the listeners that were there before the link came up: none if it is up already, as it is when
// [Connect] found the server there.
func (c *Conn) linkUp() []func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handled = true
	if c.closed || c.Connected() {
		return nil
	}
	c.link.Store(newLink())
	return inOrder(c.onConnect)
}

func (c *Conn) linkDown() {
	if l := c.link.Swap(nil); l != nil {
		l.cut()
	}
}

// Connected reports whether the server is reachable now.
func (c *Conn) Connected() bool { return c.link.Load() != nil }

// SameMachine reports whether the server is on this machine, as far as the addresses of the connection tell;
// false while there is none.
func (c *Conn) SameMachine() bool {
	client, err := c.nc.GetClientIP() // as the server sees it
	return sameMachine(c.nc.ConnectedAddr(), client, err)
}

func sameMachine(server string, client net.IP, err error) bool {
	at, bad := netip.ParseAddrPort(server)
	if bad != nil {
		return false
	}
	ip := at.Addr().Unmap()
	return ip.IsLoopback() || err == nil && client.Equal(net.IP(ip.AsSlice()))
}

// OnConnect calls f after every connect from now on, until stop is called; a call that is under way may outlive stop. A
// connect that Connected has reported before is not one of them. The functions are called one after the other, so f
// must not wait for the bus.
func (c *Conn) OnConnect(f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(c.onConnect, f)
}

// Flush returns once the server has taken all that was published and every subscription made before. It waits for 5 s
// at most if ctx has no deadline.
func (c *Conn) Flush(ctx context.Context) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	return c.nc.FlushWithContext(ctx)
}

// withDefaultTimeout gives ctx an end if it has none.
func withDefaultTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, defaultTimeout)
}

// shutDown is Close.
func (c *Conn) shutDown() {
	if c.Connected() {
		_ = c.nc.FlushTimeout(lastFlush) // best effort on the way out
	}
	c.mu.Lock()
	c.closed = true
	open := inOrder(c.open)
	c.mu.Unlock()
	c.cancel()
	c.hush()
	c.holds.Wait() // holds say that they are released
	for _, end := range open {
		end()
	}
	c.nc.Close()
	c.linkDown()
	c.adopted.Wait()
	c.parts.close()
	c.forgetMetrics()
}

// hush returns when nothing that NATS reports is being logged, and has nothing logged from then on.
func (c *Conn) hush() {
	c.logging.Lock()
	defer c.logging.Unlock()
	c.silent = true
}

func (c *Conn) forgetMetrics() {
	if c.registerer != nil {
		c.registerer.Unregister(c.metrics)
	}
}

// adopt has Close call end and wait for leave. end may call leave; once is enough.
func (c *Conn) adopt(end func()) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	c.adopted.Add(1)
	remove := c.add(c.open, end)
	return sync.OnceFunc(func() {
		remove()
		c.adopted.Done()
	}), nil
}

// add puts f in a set until remove is called. c.mu is held, but not by those who call remove.
func (c *Conn) add(set map[int]func(), f func()) (remove func()) {
	id := c.nextID
	c.nextID++
	set[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(set, id)
	}
}

// inOrder returns a set's functions, oldest first.
func inOrder(set map[int]func()) []func() {
	var fs []func()
	for _, id := range slices.Sorted(maps.Keys(set)) {
		fs = append(fs, set[id])
	}
	return fs
}
