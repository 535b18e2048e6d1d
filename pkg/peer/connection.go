package peer

import (
	"context"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// maxSections bounds the media sections of a connection; the gateway accepts 64 in an offer, the one for data included.
const maxSections = 60

// connection is one RTCPeerConnection with the gateway, for the streams of any number of devices and any number of data
// channels. We make the offers, the gateway answers; one offer is in flight at a time. While the stream of a section is
// not wanted, the gateway is not told what the section is for, and leaves it inactive.
//
// Everything but the callbacks of pion runs on the goroutine of the link.
type connection struct {
	robot *Robot
	pc    *webrtc.PeerConnection
	id    []byte // by which another session can go on with it; empty: none can
	epoch int64  // of the gateway

	sections map[streamKey]*section
	agreed   []streamKey           // what the last answer accepted, in order
	declined map[*want]bool        // what the gateway refused
	oneByOne bool                  // an offer was refused, so that streams are asked for one at a time
	pending  *pendingOffer         // in flight
	unheard  *pendingOffer         // was in flight when its session was lost; it must be offered again
	offers   int32                 // made so far
	restart  bool                  // the next offer is to find a new path
	answered bool                  // once
	own      []webrtc.ICECandidate // not sent yet
	found    chan webrtc.ICECandidate
	changed  chan struct{} // holds a token when the state of pc has changed

	session *sessionChannel // the session on the connection itself; nil without a rendezvous server

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	work   sync.WaitGroup // of goroutines that end with the connection
	mu     sync.Mutex
	over   bool // no more work is begun
	// By the middle of a section: who gets what arrives in it.
	targets map[string]*want
}

// pendingOffer is an offer in flight.
type pendingOffer struct {
	id     int32
	sdp    string
	tracks []streamKey
	fresh  []streamKey // new in it
}

// streamKey names a stream of a device.
type streamKey struct{ device, stream string }

func (k streamKey) String() string { return k.device + "/" + k.stream }

// want is a stream that should go over the connection.
type want struct {
	streamKey
	kind   webrtc.RTPCodecType
	talker string
	// claim is the right to the stream, which only one peer has at a time; nil: others may send at the same time.
	claim *claim
	// local is what is sent; nil for a stream that is received.
	local webrtc.TrackLocal
	codec webrtc.RTPCodecParameters // of local
	// arrives handles what is received until that ends. transmit sends until the context ends or nothing more is to be
	// sent, and reports takes the reports about that.
	arrives  func(*connection, *webrtc.TrackRemote, *webrtc.RTPReceiver)
	transmit func(context.Context, *counters)
	reports  func([]rtcp.Packet)
	// settled is called when the gateway has accepted the stream, or with the reason why not.
	settled func(error)
}

// section is a media section.
type section struct {
	transceiver *webrtc.RTPTransceiver
	local       webrtc.TrackLocal // nil if it receives
	codec       string            // of local
	used        bool              // something was sent in it, or could have been
	numbers     *counters         // of the packets that are sent
}

// newConnection makes a connection that has not offered anything yet.
func (r *Robot) newConnection(w *signalingv1.Welcome) (*connection, error) {
	configuration := webrtc.Configuration{ICEServers: iceServers(w.GetIceServers())}
	if r.options.RelayOnly {
		configuration.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	pc, err := r.api.NewPeerConnection(configuration)
	if err != nil {
		return nil, err
	}
	c := &connection{
		robot: r, pc: pc, epoch: w.GetEpoch(), sections: make(map[streamKey]*section),
		declined: make(map[*want]bool), targets: make(map[string]*want),
		found: make(chan webrtc.ICECandidate, 64), changed: make(chan struct{}, 1),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		if candidate == nil {
			return // the gateway does not wait for the end
		}
		select {
		case c.found <- *candidate:
		default: // there are more than enough
		}
	})
	pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { c.stir() })
	pc.OnTrack(c.arrived)
	return c, nil
}

// stir makes the link look at the connection.
func (c *connection) stir() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func iceServers(list []*signalingv1.IceServer) []webrtc.ICEServer {
	var servers []webrtc.ICEServer
	for _, s := range list {
		servers = append(servers,
			webrtc.ICEServer{URLs: s.GetUrls(), Username: s.GetUsername(), Credential: s.GetCredential()})
	}
	return servers
}

// connected reports whether packets get through.
func (c *connection) connected() bool {
	return c.pc.ConnectionState() == webrtc.PeerConnectionStateConnected
}

// relayed reports whether packets go by a relay, of either side.
func (c *connection) relayed() bool {
	pair, err := c.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	return err == nil && pair != nil &&
		(pair.Local.Typ == webrtc.ICECandidateTypeRelay || pair.Remote.Typ == webrtc.ICECandidateTypeRelay)
}

// begin runs work on a goroutine that the connection waits for.
func (c *connection) begin(work func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.work.Go(work)
	}
}

// close ends the connection and waits for all that belongs to it.
func (c *connection) close() {
	c.mu.Lock()
	c.over = true
	c.cancel()
	c.mu.Unlock()
	_ = c.pc.GracefulClose() // nothing can be done about a failure
	c.work.Wait()
}

// arrived is called by pion when something arrives in a section.
func (c *connection) arrived(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	mid := ""
	for _, t := range c.pc.GetTransceivers() {
		if t.Receiver() == receiver {
			mid = t.Mid()
		}
	}
	c.mu.Lock()
	target := c.targets[mid]
	c.mu.Unlock()
	if target == nil || target.arrives == nil {
		return
	}
	c.begin(func() { drain(receiver) })
	c.begin(func() { target.arrives(c, track, receiver) })
}

// drain reads the reports about what is received, which pion's interceptors handle.
func drain(receiver *webrtc.RTPReceiver) {
	buffer := make([]byte, 1500)
	for {
		if _, _, err := receiver.Read(buffer); err != nil {
			return
		}
	}
}

// readReports passes on the reports about what is sent in a section until it ends.
func (c *connection) readReports(t *webrtc.RTPTransceiver) {
	for {
		packets, _, err := t.Sender().ReadRTCP()
		if err != nil {
			return
		}
		c.mu.Lock()
		target := c.targets[t.Mid()]
		c.mu.Unlock()
		if target != nil && target.reports != nil {
			target.reports(packets)
		}
	}
}

// sendFound sends our own candidates. The gateway cannot use them before its first answer.
func (c *connection) sendFound(by *negotiator) {
	for more := true; more; {
		select {
		case candidate := <-c.found:
			c.own = append(c.own, candidate)
		default:
			more = false
		}
	}
	if !c.answered || by == nil {
		return
	}
	for _, candidate := range c.own {
		init := candidate.ToJSON()
		m := &signalingv1.Candidate{Candidate: init.Candidate}
		if init.SDPMid != nil {
			m.SdpMid = *init.SDPMid
		}
		if by.wire.send(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Candidate{Candidate: m}}) != nil {
			break // they get through as our checks do
		}
	}
	c.own = nil
}

// candidate takes a candidate of the gateway. One of an earlier offer, or that we cannot use, is harmless: there are
// others.
func (c *connection) candidate(m *signalingv1.Candidate) {
	mid, index := m.GetSdpMid(), uint16(min(max(m.GetSdpMlineIndex(), 0), 0xffff))
	_ = c.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: m.GetCandidate(), SDPMid: &mid, SDPMLineIndex: &index})
}
