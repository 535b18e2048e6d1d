package outside

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

const (
	// refreshEvery is how often the servers are asked: routers forget a mapping of UDP after 30 s of silence or more.
	refreshEvery = 20 * time.Second
	// retryEvery is how often they are asked while none answers.
	retryEvery = 5 * time.Second
	// watchEvery is how often the machine's own addresses are compared.
	watchEvery = 2 * time.Second
	// askGap is the least time between two questions.
	askGap = 200 * time.Millisecond
	// askTimeout bounds one question, which is repeated once. A server that is slower is no help to who waits for a
	// picture.
	askTimeout = 800 * time.Millisecond
	// demandTime is how long a relay is kept after it was asked for.
	demandTime = time.Minute
)

// Servers returns the STUN and TURN servers to use now, and a channel that is closed when there are others.
type Servers func() ([]*signalingv1.IceServer, <-chan struct{})

// Port is the media port.
type Port interface {
	// Ask asks a STUN server from the port which address it sees.
	Ask(ctx context.Context, server netip.AddrPort, timeout time.Duration) (netip.AddrPort, error)
	// Addresses are the port's own.
	Addresses() []netip.AddrPort
	// Attach lets new connections use a relay. The relay is closed by who opened it.
	Attach(relay net.PacketConn) Attachment
}

// Attachment is the use of a relay by a port.
type Attachment interface {
	// Retire keeps new connections from using the relay.
	Retire()
	// Idle is closed when the relay is retired and no connection uses it.
	Idle() <-chan struct{}
}

// Address is one at which the port is reached.
type Address struct {
	netip.AddrPort
	Relayed bool
}

// Config configures an Outside. Servers and Port are required.
type Config struct {
	Servers Servers
	Port    Port
	// TLS is for relays that are reached by it; nil: the system's defaults.
	TLS *tls.Config
	// Log may be nil.
	Log *slog.Logger
}

// Outside knows the addresses of a port.
type Outside struct {
	config Config
	log    *slog.Logger
	cancel context.CancelFunc
	ended  sync.WaitGroup
	hurry  chan struct{} // asks again at once

	// When servers gave no relay, and which. Used by run only.
	refused  time.Time
	refusing []*signalingv1.IceServer

	mu       sync.Mutex
	known    bool          // the servers were asked
	settled  chan struct{} // closed when the servers were asked, again
	mapped   []netip.AddrPort
	relay    *relay
	demanded time.Time
}

// New starts to find the addresses.
func New(c Config) *Outside {
	o := &Outside{config: c, log: c.Log, hurry: make(chan struct{}, 1), settled: make(chan struct{})}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	o.ended.Go(func() { o.run(ctx) })
	return o
}

// Close ends the relays and returns when everything has ended.
func (o *Outside) Close() {
	o.cancel()
	o.ended.Wait()
}

// Known returns the addresses. The first time it waits until the servers were asked, or ctx ends.
func (o *Outside) Known(ctx context.Context) []Address {
	o.mu.Lock()
	known, settled := o.known, o.settled
	o.mu.Unlock()
	if !known {
		select {
		case <-settled:
		case <-ctx.Done():
		}
	}
	return o.addresses()
}

// Renewed is like Known, but asks the servers again: the network may have changed.
func (o *Outside) Renewed(ctx context.Context) []Address {
	o.mu.Lock()
	settled := o.settled
	o.mu.Unlock()
	o.ask()
	select {
	case <-settled:
	case <-ctx.Done():
	}
	return o.addresses()
}

// Demand asks for a relay even though UDP works, for a far end that may have none itself. It waits until there is one,
// or ctx ends.
func (o *Outside) Demand(ctx context.Context) {
	for range 2 { // the first answer may be that to an earlier question
		o.mu.Lock()
		o.demanded = time.Now()
		done, settled := o.relay != nil || o.known && len(o.relayURLs()) == 0, o.settled
		o.mu.Unlock()
		if done {
			return
		}
		o.ask()
		select {
		case <-settled:
		case <-ctx.Done():
			return
		}
	}
}

func (o *Outside) ask() {
	select {
	case o.hurry <- struct{}{}:
	default:
	}
}

func (o *Outside) addresses() []Address {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]Address, 0, len(o.mapped)+1)
	for _, a := range o.mapped {
		list = append(list, Address{AddrPort: a})
	}
	if o.relay != nil {
		list = append(list, Address{AddrPort: o.relay.address, Relayed: true})
	}
	return list
}

// run asks the servers until ctx ends.
func (o *Outside) run(ctx context.Context) {
	for ctx.Err() == nil {
		servers, changed := o.config.Servers()
		own := o.config.Port.Addresses()
		mapped, blocked := o.askAll(ctx, servers)
		o.mu.Lock()
		wanted := blocked || time.Since(o.demanded) < demandTime
		o.mapped = slices.DeleteFunc(mapped, func(a netip.AddrPort) bool { return slices.Contains(own, a) })
		o.mu.Unlock()
		o.keepRelay(ctx, servers, wanted, blocked)
		o.settle()
		o.rest(ctx, changed, own, blocked)
	}
}

// settle tells those who wait that the servers were asked.
func (o *Outside) settle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = true
	close(o.settled)
	o.settled = make(chan struct{})
}

// rest waits until the servers are to be asked again.
func (o *Outside) rest(ctx context.Context, changed <-chan struct{}, own []netip.AddrPort, blocked bool) {
	pause := refreshEvery
	if blocked {
		pause = retryEvery
	}
	gap, next, watch := time.NewTimer(askGap), time.NewTimer(pause), time.NewTicker(watchEvery)
	defer gap.Stop()
	defer next.Stop()
	defer watch.Stop()
	select {
	case <-ctx.Done():
		return
	case <-gap.C:
	}
	for {
		select {
		case <-ctx.Done():
		case <-changed:
		case <-o.hurry:
		case <-o.relayEnded():
		case <-next.C:
		case <-watch.C:
			if slices.Equal(own, o.config.Port.Addresses()) {
				continue
			}
		}
		return
	}
}
