package outside

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"google.golang.org/protobuf/proto"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

const (
	// openTimeout bounds the attempt to get a relay from one server.
	openTimeout = 4 * time.Second
	// probeEvery is how often a relay's server is asked whether it is there. It also keeps the way to it open.
	probeEvery = 20 * time.Second
)

// relay is an address at a TURN server.
type relay struct {
	server  server
	address netip.AddrPort
	conn    *gate
	client  *turn.Client
	carrier net.PacketConn // to the server
	use     Attachment
	ended   chan struct{} // closed when the relay is of no use any more
}

// relays reports whether a server can be one.
func (s server) relays() bool {
	return (s.Scheme == stun.SchemeTypeTURN || s.Scheme == stun.SchemeTypeTURNS) && s.username != "" && s.credential != ""
}

// secure reports whether a server is reached by TLS.
func (s server) secure() bool { return s.Scheme == stun.SchemeTypeTURNS }

// relayURLs are the servers that can be relays.
func (o *Outside) relayURLs() []server {
	servers, _ := o.config.Servers()
	return slices.DeleteFunc(parse(servers),
		func(s server) bool { return !s.relays() || s.secure() && s.Proto == stun.ProtoTypeUDP })
}

// relayEnded is closed when the current relay has ended; it never is if there is none.
func (o *Outside) relayEnded() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.relay == nil {
		return nil
	}
	return o.relay.ended
}

// keepRelay opens or replaces the relay if one is wanted, and gives it up if not.
func (o *Outside) keepRelay(ctx context.Context, servers []*signalingv1.IceServer, wanted, blocked bool) {
	o.mu.Lock()
	current := o.relay
	o.mu.Unlock()
	usable := current != nil && slices.ContainsFunc(parse(servers), current.server.same)
	select {
	case <-o.relayEnded():
		usable = false
	default:
	}
	switch {
	case wanted && usable:
	case wanted && o.refusedLately(servers):
	case wanted:
		if fresh := o.openAny(ctx, blocked); fresh != nil {
			o.dropRelay()
			o.mu.Lock()
			o.relay = fresh
			o.mu.Unlock()
		} else {
			o.refused, o.refusing = time.Now(), servers
			o.dropRelay()
		}
	case current != nil:
		o.dropRelay()
	}
}

// refusedLately reports whether the same servers gave no relay a moment ago.
func (o *Outside) refusedLately(servers []*signalingv1.IceServer) bool {
	again := slices.EqualFunc(servers, o.refusing, func(a, b *signalingv1.IceServer) bool { return proto.Equal(a, b) })
	return again && time.Since(o.refused) < retryEvery
}

// same reports whether two servers are one, with the same credentials.
func (s server) same(t server) bool {
	return *s.URI == *t.URI && s.username == t.username && s.credential == t.credential
}

// dropRelay gives the current relay up: it ends once no connection uses it.
func (o *Outside) dropRelay() {
	o.mu.Lock()
	old := o.relay
	o.relay = nil
	o.mu.Unlock()
	if old != nil {
		old.use.Retire()
	}
}

// openAny opens a relay at the first server that gives one. Where UDP is blocked, those that need none come first.
func (o *Outside) openAny(ctx context.Context, blocked bool) *relay {
	list := o.relayURLs()
	order := func(s server) int {
		switch {
		case s.overUDP() && blocked:
			return 2
		case s.overUDP():
			return 0
		case s.secure() != blocked: // a firewall that lets little through lets TLS through
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b server) int { return cmp.Compare(order(a), order(b)) })
	for _, s := range list {
		// Nearly everybody reaches an address of IPv4.
		for _, family := range []turn.RequestedAddressFamily{turn.RequestedAddressFamilyIPv4,
			turn.RequestedAddressFamilyIPv6} {
			r, err := o.open(ctx, s, family)
			if err == nil {
				o.log.Info("a relay is open", "server", s.URI, "address", r.address)
				return r
			}
			o.log.Debug("no relay", "server", s.URI, "error", err)
			var refused stun.TurnError
			if ctx.Err() != nil {
				return nil
			}
			if !errors.As(err, &refused) || refused.ErrorCodeAttr.Code != stun.CodeAddrFamilyNotSupported {
				break
			}
		}
	}
	return nil
}

// open gets a relay from a server, which ends with the context at the latest.
func (o *Outside) open(life context.Context, s server, family turn.RequestedAddressFamily) (*relay, error) {
	ctx, cancel := context.WithTimeout(life, openTimeout)
	defer cancel()
	carrier, address, err := o.dial(ctx, s)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = carrier.Close() }) // ends what waits for an answer
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: address, STUNServerAddr: address, Conn: carrier, Username: s.username, Password: s.credential,
		LoggerFactory: quiet{}, RequestedAddressFamily: family,
	})
	if err != nil {
		stop()
		return nil, errors.Join(err, carrier.Close())
	}
	conn, err := allocate(ctx, client)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		client.Close()
		return nil, errors.Join(err, carrier.Close())
	}
	r := &relay{server: s, conn: newGate(conn), client: client, carrier: carrier, ended: make(chan struct{})}
	r.address = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	r.use = o.config.Port.Attach(r.conn)
	o.ended.Go(func() { r.run(life) })
	return r, nil
}

// allocate asks the server for an address.
func allocate(ctx context.Context, client *turn.Client) (net.PacketConn, error) {
	if err := client.Listen(); err != nil {
		return nil, err
	}
	type result struct {
		conn net.PacketConn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := client.Allocate()
		done <- result{conn, err}
	}()
	select {
	case got := <-done:
		return got.conn, got.err
	case <-ctx.Done():
		client.Close() // ends Allocate
		if got := <-done; got.conn != nil {
			_ = got.conn.Close()
		}
		return nil, ctx.Err()
	}
}

// dial opens the way to a server, and returns the address that it led to.
func (o *Outside) dial(ctx context.Context, s server) (net.PacketConn, string, error) {
	address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	if s.overUDP() {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", s.Host)
		if err != nil {
			return nil, "", err
		}
		to := netip.AddrPortFrom(found[0].Unmap(), uint16(s.Port))
		network := "udp4"
		if to.Addr().Is6() {
			network = "udp6"
		}
		c, err := net.ListenUDP(network, nil)
		return c, to.String(), err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, "", err
	}
	to := c.RemoteAddr().String()
	if s.secure() {
		secure := tls.Client(c, o.tlsFor(s.Host))
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, "", errors.Join(fmt.Errorf("TLS with %s: %w", address, err), c.Close())
		}
		c = secure
	}
	return turn.NewSTUNConn(newQueued(c)), to, nil
}

func (o *Outside) tlsFor(host string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.config.TLS != nil {
		c = o.config.TLS.Clone()
	}
	c.ServerName = host
	return c
}

// run keeps the relay until it is not used any more, or its server is gone.
func (r *relay) run(ctx context.Context) {
	defer r.close()
	stop := context.AfterFunc(ctx, r.client.Close) // ends what waits for an answer
	defer stop()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.use.Idle():
			return
		case <-r.conn.closed:
			return
		case <-tick.C:
		}
		if _, err := r.client.SendBindingRequest(); err != nil {
			return
		}
	}
}

// close gives the address back. A server that does not learn of it takes it back by itself.
func (r *relay) close() {
	close(r.ended)
	r.use.Retire()
	_ = r.conn.Close()
	r.client.Close()
	_ = r.carrier.Close()
	r.conn.opening.Wait()
}
