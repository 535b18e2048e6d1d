package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// maxSections bounds the media sections of a connection; the gateway has the same limit.
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
		servers = append(servers, webrtc.ICEServer{URLs: s.GetUrls(), Username: s.GetUsername(), Credential: s.GetCredential()})
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

// forgive lets refused streams be asked for again.
func (c *connection) forgive(which func(*want) bool) {
	for w := range c.declined {
		if which(w) {
			delete(c.declined, w)
		}
	}
}

// negotiate sends an offer if one is needed and none is in flight.
func (c *connection) negotiate(by *negotiator, wants []*want) error {
	if c.pending != nil {
		return nil
	}
	tracks, fresh := c.arrange(by, wants)
	if c.offers > 0 && !c.restart && len(fresh) == 0 && slices.Equal(tracks, c.agreed) {
		return nil
	}
	offer, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: c.restart && c.answered})
	if err != nil {
		return fmt.Errorf("no offer can be made: %w", err)
	}
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("no offer can be made: %w", err)
	}
	c.restart = false
	c.aim(wants)
	return c.offer(by, wants, &pendingOffer{sdp: offer.SDP, tracks: tracks, fresh: fresh})
}

// offer sends an offer.
func (c *connection) offer(by *negotiator, wants []*want, p *pendingOffer) error {
	c.offers++
	p.id = c.offers
	m := &signalingv1.Offer{Id: p.id, Sdp: p.sdp, Tracks: c.describe(by, wants, p)}
	if by.adopts {
		m.Connection = c.id
	}
	c.pending = p
	return by.offer(m)
}

// arrange makes a section for each stream that is wanted, and returns those to be offered, and which of them are new.
func (c *connection) arrange(by *negotiator, wants []*want) (tracks, fresh []streamKey) {
	if by.bare { // what was agreed stays
		return c.agreed, nil
	}
	for _, w := range wants {
		switch {
		case slices.Contains(c.agreed, w.streamKey) && c.sections[w.streamKey].local == w.local:
			tracks = append(tracks, w.streamKey)
		case c.declined[w] || c.oneByOne && len(fresh) > 0:
		default:
			if err := c.place(w); err != nil {
				c.refuse(w, err)
				continue
			}
			tracks, fresh = append(tracks, w.streamKey), append(fresh, w.streamKey)
		}
	}
	return tracks, fresh
}

// place gives a stream its section.
func (c *connection) place(w *want) error {
	if s := c.sections[w.streamKey]; s != nil && s.local == w.local || c.reuse(w) {
		return nil
	}
	if len(c.pc.GetTransceivers()) >= maxSections {
		return fmt.Errorf("there are %d media streams already, as many as a connection has", maxSections)
	}
	t, err := c.transceiver(w)
	if err != nil {
		return err
	}
	c.sections[w.streamKey] = &section{transceiver: t, local: w.local, codec: w.codec.MimeType, numbers: newCounters()}
	return nil
}

// reuse gives a stream the section of one that is not wanted any more. A connection has a limited number of them, and
// each stream that was refused has one.
func (c *connection) reuse(w *want) bool {
	wants := c.robot.wants()
	for k, s := range c.sections {
		free := k == w.streamKey || !slices.Contains(c.agreed, k) && named(wants, k) == nil
		if !free || !s.suits(w) || w.local != nil && s.transceiver.Sender().ReplaceTrack(w.local) != nil {
			continue
		}
		delete(c.sections, k)
		s.local = w.local
		c.sections[w.streamKey] = s
		return true
	}
	return false
}

// suits reports whether a stream can have the section: a stream that is sent, if the codec is the same, and one that is
// received, if nothing was received there before, as pion begins to receive once.
func (s *section) suits(w *want) bool {
	if w.local != nil {
		return s.codec == w.codec.MimeType
	}
	return s.local == nil && !s.used && s.transceiver.Kind() == w.kind
}

func (c *connection) transceiver(w *want) (*webrtc.RTPTransceiver, error) {
	if w.local == nil {
		return c.pc.AddTransceiverFromKind(w.kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	}
	t, err := c.pc.AddTransceiverFromTrack(w.local,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	if err := t.SetCodecPreferences([]webrtc.RTPCodecParameters{w.codec}); err != nil {
		return nil, err
	}
	c.begin(func() { c.readReports(t) })
	return t, nil
}

// aim notes who gets what arrives in a section.
func (c *connection) aim(wants []*want) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range wants {
		if s := c.sections[w.streamKey]; s != nil && s.transceiver.Mid() != "" {
			c.targets[s.transceiver.Mid()] = w
		}
	}
}

// describe tells the gateway what sections are for.
func (c *connection) describe(by *negotiator, wants []*want, p *pendingOffer) (tracks []*signalingv1.Track) {
	if by.bare {
		return nil
	}
	for _, w := range wants {
		if slices.Contains(p.tracks, w.streamKey) {
			tracks = append(tracks, &signalingv1.Track{Mid: c.sections[w.streamKey].transceiver.Mid(),
				Device: w.device, Stream: w.stream, Talker: w.talker, Take: w.claim != nil && w.claim.takes() && slices.Contains(p.fresh, w.streamKey)})
		}
	}
	return tracks
}

// accept takes the gateway's answer.
func (c *connection) accept(by *negotiator, wants []*want, a *signalingv1.Answer) error {
	p := c.pending
	if p == nil || p.id != a.GetId() {
		return nil // to an offer that is of no interest any more
	}
	if by.trust != nil {
		if err := by.trust.verify(p.sdp, a); err != nil {
			return err
		}
	}
	err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: a.GetSdp()})
	if err != nil {
		return fmt.Errorf("the answer cannot be used: %w", err)
	}
	c.pending, c.answered = nil, true
	if len(a.GetConnection()) > 0 {
		c.id = bytes.Clone(a.GetConnection())
	}
	directions, err := directionsOf(a.GetSdp())
	if err != nil {
		return err
	}
	c.agreed = nil
	for _, k := range p.tracks {
		switch directions[c.sections[k].transceiver.Mid()] {
		case sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeySendRecv:
			c.agreed = append(c.agreed, k)
			c.sections[k].used = true
			c.settle(wants, k, p)
		default:
			c.refuse(named(wants, k), errors.New("the gateway does not offer "+k.String()))
		}
	}
	return nil
}

// settle reports a stream that was accepted.
func (c *connection) settle(wants []*want, k streamKey, p *pendingOffer) {
	w := named(wants, k)
	if w == nil || !slices.Contains(p.fresh, k) {
		return
	}
	if w.settled != nil {
		w.settled(nil)
	}
	if w.transmit != nil {
		numbers := c.sections[k].numbers
		c.begin(func() { w.transmit(c.ctx, numbers) })
	}
}

// refuse notes that a stream is not to be had.
func (c *connection) refuse(w *want, err error) {
	if w == nil {
		return
	}
	c.declined[w] = true
	if w.settled != nil && !c.robot.early(err) {
		w.settled(err)
	}
}

// decline takes the gateway's refusal of an offer. The same description is offered again for less.
func (c *connection) decline(by *negotiator, wants []*want, e *signalingv1.Error) error {
	p := c.pending
	if p == nil || e.GetId() != p.id {
		return nil
	}
	c.pending = nil
	err := errorOf(e)
	switch said := status.Convert(err).Message(); {
	case status.Code(err) == codes.AlreadyExists && c.yield(wants, p, err): // somebody else sends there
	case len(p.fresh) > 0:
	case by.adopts || c.answered: // it may have ended there
		return fmt.Errorf("the gateway does not go on with the connection: %s", said)
	default:
		return refused("the gateway refuses the connection: %s", said)
	}
	if len(p.fresh) == 1 && status.Code(err) != codes.AlreadyExists {
		c.refuse(named(wants, p.fresh[0]), err)
	}
	c.oneByOne = true
	tracks, fresh := c.arrange(by, wants)
	if len(fresh) > 0 && c.sections[fresh[0]].transceiver.Mid() == "" {
		tracks, fresh = c.without(tracks, fresh[0]), nil // it has no place in that description
	}
	return c.offer(by, wants, &pendingOffer{sdp: p.sdp, tracks: tracks, fresh: fresh})
}

// yield refuses what is sent to devices, whether it was agreed before or not; false if nothing is.
func (c *connection) yield(wants []*want, p *pendingOffer, err error) (some bool) {
	for _, k := range p.tracks {
		if w := named(wants, k); w != nil && w.claim != nil {
			c.refuse(w, err)
			c.agreed = c.without(c.agreed, k)
			some = true
		}
	}
	c.robot.yield()
	return some
}

func (c *connection) without(keys []streamKey, k streamKey) []streamKey {
	return slices.DeleteFunc(slices.Clone(keys), func(other streamKey) bool { return other == k })
}

func named(wants []*want, k streamKey) *want {
	i := slices.IndexFunc(wants, func(w *want) bool { return w.streamKey == k })
	if i < 0 {
		return nil
	}
	return wants[i]
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

// directionsOf reads the direction of each section of a session description.
func directionsOf(text string) (map[string]string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}
	directions := make(map[string]string)
	for _, m := range d.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		for _, key := range []string{sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeySendRecv} {
			if _, ok := m.Attribute(key); ok && m.MediaName.Port.Value != 0 {
				directions[mid] = key
			}
		}
	}
	return directions, nil
}
