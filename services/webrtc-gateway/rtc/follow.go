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
// from elsewhere, and one from the same address, where a NAT has changed the port. Browsers check their path only
// every 2.5 s, so what is not followed at once stays dead for that long.
const (
	silence = 1500 * time.Millisecond
	lapse   = 300 * time.Millisecond
)

// maxPaths bounds the paths that are remembered; then all are forgotten, until they are checked again.
const maxPaths = 64

// follower follows the far end to another path. Pion, which the far end controls, otherwise ignores a path of lower
// priority than the one in use, however dead that is: a phone whose Wi-Fi is gone goes on by its mobile network, whose
// path has a lower one. Nor is it right where the first path leads through a relay, which pion takes for an address of
// this machine.
type follower struct {
	relayed func(address string) bool
	inUse   atomic.Pointer[string]

	// Used by pion's one goroutine only.
	checkedPaths map[string]*ice.CandidatePair
}

// selected is called by pion when it uses another path.
func (f *follower) selected(pair *webrtc.ICECandidatePair) {
	key := path(place(pair.Local.Address, int(pair.Local.Port)), place(pair.Remote.Address, int(pair.Remote.Port)))
	f.inUse.Store(&key)
}

// checked is called by pion when the far end has checked a path. It returns whether to use that path.
func (f *follower) checked(m *stun.Message, local, remote ice.Candidate, pair *ice.CandidatePair) bool {
	inUse, here := f.inUse.Load(), place(local.Address(), local.Port())
	key := path(here, place(remote.Address(), remote.Port()))
	if f.checkedPaths == nil || len(f.checkedPaths) >= maxPaths {
		f.checkedPaths = make(map[string]*ice.CandidatePair)
	}
	f.checkedPaths[key] = pair
	if inUse == nil || key == *inUse {
		return false
	}
	used := f.checkedPaths[*inUse]
	if used == nil || !m.Contains(stun.AttrUseCandidate) {
		return false
	}
	if remote.Address() == used.Remote.Address() && quietSince(used) > lapse {
		return true
	}
	// Only a path from which an answer came is not a trick: media must not be sent to an address that never asked for it.
	if pair.ResponsesReceived() == 0 {
		return false
	}
	fromRelay := f.relayed(place(used.Local.Address(), used.Local.Port())) && !f.relayed(here)
	return fromRelay || quietSince(used) > silence
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
