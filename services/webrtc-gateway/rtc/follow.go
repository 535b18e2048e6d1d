package rtc

import (
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// How long nothing must have come by the path in use before another one that the far end nominates takes its place: one
// from elsewhere, and one from the same address, where a NAT has changed the port. Browsers check their path every 2.5 s
// only, so what is not followed at once stays dead for that long.
const (
	silence = 1500 * time.Millisecond
	lapse   = 300 * time.Millisecond
)

// follower follows the far end to another path. Pion, which the far end controls, otherwise stays on the first nominated
// path unless a later one has a higher priority. That is no help to a far end whose NAT gave it another port: its new
// path is like the old one, which is dead. Nor is it right where the first path leads through a relay, which pion takes
// for an address of this machine.
type follower struct {
	relayed func(address string) bool
	inUse   atomic.Pointer[string]

	// Used by pion's one goroutine only.
	path *ice.CandidatePair // the one in use, once the far end has asked about it
}

// selected is called by pion when it uses another path.
func (f *follower) selected(pair *webrtc.ICECandidatePair) {
	key := path(place(pair.Local.Address, int(pair.Local.Port)), place(pair.Remote.Address, int(pair.Remote.Port)))
	f.inUse.Store(&key)
}

// checked is called by pion when the far end has checked a path. It returns whether to use that path.
func (f *follower) checked(m *stun.Message, local, remote ice.Candidate, pair *ice.CandidatePair) bool {
	inUse, here := f.inUse.Load(), place(local.Address(), local.Port())
	if inUse == nil {
		return false
	}
	if path(here, place(remote.Address(), remote.Port())) == *inUse {
		f.path = pair
		return false
	}
	if f.path == nil || !m.Contains(stun.AttrUseCandidate) {
		return false
	}
	if remote.Address() == f.path.Remote.Address() && quietSince(f.path) > lapse {
		return true
	}
	// Only a path from which an answer came is not a trick: media must not be sent to an address that never asked for it.
	if pair.ResponsesReceived() == 0 {
		return false
	}
	fromRelay := f.relayed(place(f.path.Local.Address(), f.path.Local.Port())) && !f.relayed(here)
	return fromRelay || quietSince(f.path) > silence
}

// quietSince returns for how long nothing has come by a path.
func quietSince(p *ice.CandidatePair) time.Duration {
	last := p.LastPacketReceivedAt()
	if asked := p.LastRequestReceivedAt(); asked.After(last) {
		last = asked
	}
	return time.Since(last)
}

func place(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }

func path(local, remote string) string { return local + " " + remote }
