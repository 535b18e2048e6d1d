package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	minReconnectWait = 20 * time.Millisecond
	maxReconnectWait = 500 * time.Millisecond
	// A server that vanished without closing the socket is given up after two pings.
	pingInterval = 2 * time.Second
	maxPingsOut  = 2
)

// Config says how to connect. Only URL is needed.
type Config struct {
	// URL of the server, for example nats://127.0.0.1:4222; several may be given with commas between.
	URL string
	// Name shown to the server's operator.
	Name string
	// Token for servers that want one.
	Token string
	// Log hears of connects and disconnects. Default: nothing.
	Log *slog.Logger
	// Metrics is where waldo_bus_* are registered. Default: nowhere.
	Metrics prometheus.Registerer
}

// Conn is a connection to the bus that comes back by itself. See the package comment.
type Conn struct {
	nc      *nats.Conn
	log     *slog.Logger
	metrics *metrics

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	owned  sync.WaitGroup // goroutines of holds, services and state watchers

	mu        sync.Mutex
	onConnect map[int]func()
	nextID    int
	services  []*Service
}

// Connect starts connecting and returns at once, whether the server is there or not. It fails only on a bad Config.
func Connect(cfg Config) (*Conn, error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Conn{log: log, metrics: newMetrics(cfg.Metrics), onConnect: map[int]func(){}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	nc, err := nats.Connect(cfg.URL, c.options(cfg)...)
	if err != nil {
		c.cancel()
		return nil, fmt.Errorf("nats url %q: %w", cfg.URL, err)
	}
	c.nc = nc
	c.metrics.connected.Set(boolGauge(nc.IsConnected()))
	if !nc.IsConnected() {
		log.Warn("the bus is not reachable yet; waiting for it", "url", cfg.URL)
	}
	return c, nil
}

func (c *Conn) options(cfg Config) []nats.Option {
	options := []nats.Option{
		nats.Name(cfg.Name),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectWait),
		nats.ReconnectBufSize(-1), // keep nothing for later
		nats.Timeout(2 * time.Second),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPingsOut),
		nats.ConnectHandler(c.connected),
		nats.ReconnectHandler(c.connected),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.metrics.connected.Set(0)
			if c.ctx.Err() == nil {
				c.log.Warn("lost the bus; reconnecting", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.metrics.lost.WithLabelValues("slow_consumer").Inc()
			c.log.Warn("bus", "error", err)
		}),
	}
	if cfg.Token != "" {
		options = append(options, nats.Token(cfg.Token))
	}
	return options
}

// reconnectWait doubles from minReconnectWait: fast for a server that only restarted, bearable for one that is gone for good.
func reconnectWait(attempts int) time.Duration {
	return min(minReconnectWait<<min(attempts, 10), maxReconnectWait)
}

func (c *Conn) connected(nc *nats.Conn) {
	c.metrics.connected.Set(1)
	c.log.Info("connected to the bus", "url", nc.ConnectedUrlRedacted())
	c.mu.Lock()
	listeners := make([]func(), 0, len(c.onConnect))
	for _, f := range c.onConnect {
		listeners = append(listeners, f)
	}
	c.mu.Unlock()
	for _, f := range listeners {
		f()
	}
}

// Connected tells whether the server is reachable now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// OnConnect calls f after every connect from now on, until stop is called. f must not wait for the bus.
func (c *Conn) OnConnect(f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextID
	c.nextID++
	c.onConnect[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.onConnect, id)
	}
}

// Flush returns once the server has taken all that was published and every subscription made before. It waits for 5 s at most if
// ctx has no deadline.
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

// Close ends everything that uses the connection and waits for it. What was published before is sent first, as far as that is
// possible within half a second.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		_ = c.nc.FlushTimeout(500 * time.Millisecond) // best effort on the way out
	}
	c.cancel()
	c.mu.Lock()
	services := c.services
	c.services = nil
	c.mu.Unlock()
	for _, s := range services {
		s.Close()
	}
	c.owned.Wait()
	closed := c.nc.StatusChanged(nats.CLOSED)
	c.nc.Close()
	<-closed
}

func boolGauge(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
