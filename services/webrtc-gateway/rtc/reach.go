package rtc

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
)

const (
	// knownTimeout bounds how long an answer waits for the gateway's addresses outside its network, if the far end takes
	// no candidates later.
	knownTimeout = time.Second
	// lateTimeout bounds how long candidates are sent after an answer.
	lateTimeout = 5 * time.Second
)

// Priorities of candidates, see RFC 8445, 5.1.2: of all candidates of a kind there is one for each address.
const (
	reflexivePriority = 100<<24 | 65535<<8 | 255
	relayedPriority   = 0<<24 | 65535<<8 | 255
)

// reach is what a peer knows of the gateway's addresses outside.
type reach struct {
	send  func(Candidate) // takes candidates after the answer; nil: nobody does
	wait  bool            // answers wait for the addresses although others can come later
	relay bool            // the far end may have no relay
	from  netip.Addr      // where the far end is; invalid: not known
}

// Trickle makes the peer send candidates that become known after an answer. Without it, answers wait up to a second for
// them. It must be called before the offers that it is for.
func (p *Peer) Trickle(send func(Candidate)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reach.send = send
}

// AwaitOutside makes answers wait up to a second for the addresses outside, even if candidates can come later: for a
// far end that comes from elsewhere, and to a gateway that has just started.
func (p *Peer) AwaitOutside() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reach.wait = true
}

// OfferRelay makes the answers contain an address at a relay, if there is any: for a far end that comes from elsewhere
// and may have none itself. It must be called before the offers that it is for. From is the far end's address, if it is
// known: the relay lets in what comes from there, also from a player that does not know its address outside.
func (p *Peer) OfferRelay(from netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reach.relay, p.reach.from = true, from.Unmap()
}

// discard is a port at which nobody is.
const discard = 9

// admit has the relay let in what comes from the far end's address: a check of any of its ports does that.
func (p *Peer) admit() {
	p.mu.Lock()
	from := p.reach.from
	p.mu.Unlock()
	if !from.Is4() || from.IsLoopback() {
		return
	}
	_ = p.AddCandidate(fmt.Sprintf("candidate:1 1 udp 1 %s %d typ host", from, discard), "", 0) // others may do
}

// outside returns the gateway's addresses outside, before candidates are gathered.
func (p *Peer) outside(ctx context.Context, restart bool) []outside.Address {
	o := p.engine.outside
	if o == nil {
		return nil
	}
	p.mu.Lock()
	r := p.reach
	p.mu.Unlock()
	waiting, cancel := context.WithTimeout(ctx, knownTimeout)
	defer cancel()
	if r.relay {
		o.Demand(waiting)
	}
	switch {
	case r.send != nil && !r.wait:
		cancel() // what is not known now comes later
	case restart && r.send == nil:
		return o.Renewed(waiting)
	}
	return o.Known(waiting)
}

// reachable completes an answer by the addresses outside, and sends those that become known later.
func (p *Peer) reachable(answer string, known []outside.Address, restart bool) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return "", err
	}
	p.announce(&d, known)
	p.admit()
	p.later(&d, restart)
	text, err := d.Marshal()
	return string(text), err
}

// later sends the addresses outside that were not in the answer; p.negotiating is held.
func (p *Peer) later(answered *sdp.SessionDescription, restart bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	send := p.reach.send
	section := carrying(answered)
	if p.closed || send == nil || section == nil {
		return
	}
	mid, _ := section.Attribute(sdp.AttrKeyMID)
	told := candidatesOf(section)
	p.ended.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, lateTimeout)
		defer cancel()
		known := p.engine.outside.Known
		if restart {
			known = p.engine.outside.Renewed
		}
		for _, a := range known(ctx) {
			if line := reflexive(a); !a.Relayed && !slices.Contains(told, line) {
				send(Candidate{Line: sdp.AttrKeyCandidate + ":" + line, MID: mid})
			}
		}
	})
}

// carrying returns the section of an answer that has the candidates.
func carrying(d *sdp.SessionDescription) *sdp.MediaDescription {
	i := slices.IndexFunc(d.MediaDescriptions, func(m *sdp.MediaDescription) bool {
		return slices.ContainsFunc(m.Attributes, sdp.Attribute.IsICECandidate)
	})
	if i < 0 {
		return nil
	}
	return d.MediaDescriptions[i]
}

func candidatesOf(m *sdp.MediaDescription) (list []string) {
	for _, a := range m.Attributes {
		if a.IsICECandidate() {
			list = append(list, a.Value)
		}
	}
	return list
}

// announce puts the addresses outside into an answer. A relay is there already, as an address of the machine.
func (p *Peer) announce(d *sdp.SessionDescription, known []outside.Address) {
	m := carrying(d)
	if m == nil {
		return
	}
	var added []sdp.Attribute
	for _, a := range known {
		if !a.Relayed {
			added = append(added, sdp.NewAttribute(sdp.AttrKeyCandidate, reflexive(a)))
		}
	}
	end := slices.IndexFunc(m.Attributes, func(a sdp.Attribute) bool { return a.Key == sdp.AttrKeyEndOfCandidates })
	if end < 0 {
		end = len(m.Attributes)
	}
	m.Attributes = slices.Insert(m.Attributes, end, added...)
	for i, a := range m.Attributes {
		if !a.IsICECandidate() {
			continue
		}
		if c, err := ice.UnmarshalCandidate(a.Value); err == nil && p.engine.ports.isRelay(place(c.Address(), c.Port())) {
			m.Attributes[i].Value = relayed(c)
		}
	}
}

// reflexive is the candidate for an address that a NAT gives the port.
func reflexive(a outside.Address) string {
	return candidate("srflx", 1, reflexivePriority, a.Addr().String(), int(a.Port()))
}

// relayed is the candidate for an address at a relay.
func relayed(c ice.Candidate) string {
	return candidate("relay", c.Component(), relayedPriority, c.Address(), c.Port())
}

// candidate writes a candidate. The address behind it is nobody's business.
func candidate(kind string, component uint16, priority int, address string, port int) string {
	unspecified, family := "0.0.0.0", "4"
	if strings.Contains(address, ":") {
		unspecified, family = "::", "6"
	}
	return fmt.Sprintf("%s%s %d udp %d %s %d typ %s raddr %s rport 0", kind, family, component, priority, address, port,
		kind, unspecified)
}
