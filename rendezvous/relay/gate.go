package relay

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/time/rate"
)

// maxControl is the longest message of STUN that is taken: the server of pion is told the same.
const maxControl = 1600

// gate decides which messages of STUN the server of pion gets to see.
type gate struct {
	relay *Relay

	mu      sync.Mutex
	rates   map[netip.Prefix]*requests
	replays replays
}

// requests is how many requests an address may still make.
type requests struct {
	limiter *rate.Limiter
	last    time.Time
}

func newGate(r *Relay) *gate {
	return &gate{relay: r, rates: map[netip.Prefix]*requests{}, replays: replays{seen: map[transaction]netip.AddrPort{}}}
}

// transaction identifies a request: its client chose the number at random.
type transaction [stun.TransactionIDSize]byte

func transactionOf(message []byte) transaction { return transaction(message[8:20]) }

// verdict is what becomes of a message.
type verdict struct {
	pass   bool
	answer []byte // what the client gets if it does not pass; nil is nothing
}

// check decides about a message of a client, and the allocation that it holds, if it does.
func (g *gate) check(message []byte, from netip.AddrPort, held *allocation) verdict {
	kind, ok := messageType(message)
	if !ok || len(message) > maxControl-1 {
		g.relay.metrics.refuse(refusedMalformed)
		return verdict{}
	}
	if kind.Class == stun.ClassIndication {
		return verdict{pass: kind.Method == stun.MethodSend && held != nil}
	}
	if kind.Class != stun.ClassRequest {
		return verdict{}
	}
	if !g.allow(from.Addr()) {
		g.relay.metrics.refuse(refusedRate)
		return verdict{}
	}
	switch kind.Method {
	case stun.MethodBinding:
		return verdict{pass: true}
	case stun.MethodAllocate:
		return g.allocate(message, from)
	case stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind:
		if held == nil { // the server of pion would say nothing, and the client would wait
			return g.refuse(message, stun.CodeAllocMismatch, refusedMissing)
		}
		if kind.Method == stun.MethodChannelBind && len(held.routes.Load().peers) >= g.relay.config.Limits.Channels {
			return g.channel(message, held)
		}
		return verdict{pass: true}
	}
	return g.refuse(message, stun.CodeBadRequest, refusedTransport)
}

// allocate refuses allocations of TCP, which nobody here needs, and requests that were heard on their way and are sent
// again from elsewhere. The nonce of pion would let them pass for an hour.
func (g *gate) allocate(message []byte, from netip.AddrPort) verdict {
	const udp = 17
	m := &stun.Message{Raw: message}
	if err := m.Decode(); err != nil {
		g.relay.metrics.refuse(refusedMalformed)
		return verdict{}
	}
	if transport, err := m.Get(stun.AttrRequestedTransport); err == nil && len(transport) == 4 && transport[0] != udp {
		return g.refuse(message, stun.CodeUnsupportedTransProto, refusedTransport)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if owner, seen := g.replays.seen[m.TransactionID]; seen && owner != from {
		return g.refuse(message, stun.CodeBadRequest, refusedReplayed)
	}
	return verdict{pass: true}
}

// channel lets a client that has all the channels it may have renew those.
func (g *gate) channel(message []byte, held *allocation) verdict {
	m := &stun.Message{Raw: message}
	if err := m.Decode(); err != nil {
		g.relay.metrics.refuse(refusedMalformed)
		return verdict{}
	}
	number, err := m.Get(stun.AttrChannelNumber)
	if err == nil && len(number) == 4 {
		if _, bound := held.routes.Load().peers[binary.BigEndian.Uint16(number)]; bound {
			return verdict{pass: true}
		}
	}
	return g.refuse(message, stun.CodeInsufficientCapacity, refusedChannels)
}

func (g *gate) refuse(message []byte, code stun.ErrorCode, reason string) verdict {
	g.relay.metrics.refuse(reason)
	kind, _ := messageType(message)
	m, err := stun.Build(&stun.Message{TransactionID: transactionOf(message)},
		stun.NewType(kind.Method, stun.ClassErrorResponse), stun.ErrorCodeAttribute{Code: code})
	if err != nil {
		return verdict{}
	}
	return verdict{answer: m.Raw}
}

// messageType returns the type of a message of STUN, of which it checks the header.
func messageType(b []byte) (stun.MessageType, bool) {
	if !stun.IsMessage(b) || len(b) < stunHeader || int(binary.BigEndian.Uint16(b[2:]))+stunHeader > len(b) {
		return stun.MessageType{}, false
	}
	var t stun.MessageType
	t.ReadValue(binary.BigEndian.Uint16(b))
	return t, b[0]>>6 == 0
}

// stunHeader is the size of the header of messages of STUN.
const stunHeader = 20

const (
	addresses = 16384 // that are remembered
	burst     = 10    // seconds of requests that an address can make at once
)

// allow counts a request of an address. When very many addresses make requests at a time, some are forgotten, and have
// their full allowance again.
func (g *gate) allow(a netip.Addr) bool {
	now, limit := time.Now(), g.relay.config.Limits.Requests
	g.mu.Lock()
	defer g.mu.Unlock()
	key := site(a)
	r := g.rates[key]
	if r == nil {
		if len(g.rates) >= addresses {
			g.forget(now)
		}
		r = &requests{limiter: rate.NewLimiter(rate.Limit(limit), burst*limit)}
		g.rates[key] = r
	}
	r.last = now
	return r.limiter.AllowN(now, 1)
}

// forget drops the addresses whose allowance is full again, and as many others as it takes to have a quarter free: it
// is not called again soon.
func (g *gate) forget(now time.Time) {
	const full = burst * time.Second
	for key, r := range g.rates {
		if now.Sub(r.last) > full {
			delete(g.rates, key)
		}
	}
	for key := range g.rates {
		if len(g.rates) <= addresses*3/4 {
			return
		}
		delete(g.rates, key)
	}
}

// site is the smallest network that addresses are given out as: one address of IPv4, and a /64 of IPv6.
func site(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // an address has as many bits
	return p
}

// replays remembers by whom allocations were made, as long as pion takes the same request again.
type replays struct {
	seen  map[transaction]netip.AddrPort
	order []made
}

type made struct {
	transaction transaction
	until       time.Time
}

// remember notes a request that made an allocation.
func (g *gate) remember(t transaction, client netip.AddrPort) {
	const (
		life = 62 * time.Minute // of a nonce of pion, which counts minutes
		most = 1 << 16
	)
	g.mu.Lock()
	defer g.mu.Unlock()
	now, r := time.Now(), &g.replays
	for len(r.order) > 0 && (r.order[0].until.Before(now) || len(r.order) >= most) {
		delete(r.seen, r.order[0].transaction)
		r.order = r.order[1:]
	}
	r.seen[t] = client
	r.order = append(r.order, made{t, now.Add(life)})
}
