package peer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

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
	if c.unheard != nil {
		return c.repeat(by, wants)
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

// interrupt notes that the session is lost.
func (c *connection) interrupt() {
	if c.pending != nil {
		c.unheard, c.pending = c.pending, nil
	}
}

// repeat sends the offer again that may not have been heard: pion makes no other before that is answered.
func (c *connection) repeat(by *negotiator, wants []*want) error {
	p := &pendingOffer{sdp: c.unheard.sdp, tracks: c.unheard.tracks, fresh: c.unheard.fresh}
	if by.bare {
		p.tracks, p.fresh = c.agreed, nil
	}
	c.unheard = nil
	return c.offer(by, wants, p)
}

// offer sends an offer.
func (c *connection) offer(by *negotiator, wants []*want, p *pendingOffer) error {
	c.offers++
	p.id = c.offers
	m := &signalingv1.Offer{Id: p.id, Sdp: p.sdp, Tracks: c.describe(by, wants, p), Confirms: true}
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
		return c.pc.AddTransceiverFromKind(w.kind,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
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
				Device: w.device, Stream: w.stream, Talker: w.talker, Take: w.claim != nil && w.claim.takes() &&
					slices.Contains(p.fresh, w.streamKey)})
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
	if a.GetConfirm() {
		if err := by.applied(p.id); err != nil {
			return err
		}
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
