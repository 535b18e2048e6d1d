package rtc

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	// MaxOffer is the largest offer in bytes.
	MaxOffer = 64 << 10
	// maxSections limits the media sections of one offer; browsers become slow before that.
	maxSections = 64
	// maxVoices limits how many speakers one peer can talk to at once.
	maxVoices = 4
)

// Names of the streams that a section can carry.
const (
	Video      = "video"
	Audio      = "audio"
	Speaker    = talk.Stream
	Camera     = "camera"
	Microphone = "microphone"
)

// Track ties a media section of an offer to the stream that it carries.
type Track struct {
	MID    string
	Stream tracks.Stream
	Talker string // the talker's name, shown to people; empty: the id of the peer
	Take   bool   // for Camera and Microphone: take the device from the present sender
	// Sink takes what the far end sends. The streams Camera and Microphone need one; with Video and Audio the section
	// then carries media both ways, in one codec.
	Sink Sink
}

// incoming reports whether only the far end sends.
func (t Track) incoming() bool {
	return t.Stream.Name == Speaker || t.Stream.Name == Camera || t.Stream.Name == Microphone
}

// media is the media name of the track's section.
func (t Track) media() string {
	if t.Stream.Name == Video || t.Stream.Name == Camera {
		return "video"
	}
	return "audio"
}

// kind is the kind of media that the section carries.
func (t Track) kind() webrtc.RTPCodecType { return webrtc.NewRTPCodecType(t.media()) }

// direction is the direction of the track's section, seen from the far end.
func (t Track) direction() string {
	switch {
	case t.incoming():
		return sdp.AttrKeySendOnly
	case t.Sink != nil:
		return sdp.AttrKeySendRecv
	}
	return sdp.AttrKeyRecvOnly
}

// excluded are the directions of a section that cannot carry the track.
func (t Track) excluded() []string {
	switch t.direction() {
	case sdp.AttrKeySendOnly:
		return []string{sdp.AttrKeyRecvOnly, sdp.AttrKeyInactive}
	case sdp.AttrKeyRecvOnly:
		return []string{sdp.AttrKeySendOnly, sdp.AttrKeyInactive}
	}
	return []string{sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeyInactive}
}

// offer is an offer, parsed and narrowed to what the gateway does.
type offer struct {
	description *sdp.SessionDescription
	sdp         string // for pion
	// The sections in use, in order.
	sections []*section
	idle     []*section                    // unused, with the codec that they share with the gateway
	rejected map[int]*sdp.MediaDescription // unused, sharing no codec, by position
	alone    bool                          // the only section is outside any bundle
	spare    []string                      // the mids of idle sections that were never used, see keepSpare
	foreign  []int                         // the positions of sections of unknown kinds
	data     map[int]sdp.MediaName         // the sections of data, by position
}

// section is a media section in use.
type section struct {
	Track
	numbers
	source  tracks.Stream // the stream that is sent: the track's, or an alternative to it
	chosen  *codecs.Codec // the codec that it is sent in
	content *sdp.MediaDescription
}

// section returns the section with a mid.
func (o *offer) section(mid string) (*section, bool) {
	i := slices.IndexFunc(o.sections, func(s *section) bool { return s.MID == mid })
	if i < 0 {
		return nil, false
	}
	return o.sections[i], true
}

// common returns the section with a mid if it shares a codec with the gateway, whether it is used or not.
func (o *offer) common(mid string) (*section, bool) {
	if s, ok := o.section(mid); ok {
		return s, true
	}
	i := slices.IndexFunc(o.idle, func(s *section) bool { return s.MID == mid })
	if i < 0 {
		return nil, false
	}
	return o.idle[i], true
}

// readOffer checks an offer and makes all sections inactive except those wished for, which get only their track's
// direction. Pion does not see the header extensions, see numbers.
func readOffer(text string, wishes []Track) (offer, error) {
	d, err := parseOffer(text)
	if err != nil {
		return offer{}, err
	}
	wanted, err := byMID(wishes)
	if err != nil {
		return offer{}, err
	}
	spreadSetup(d)
	o := offer{rejected: make(map[int]*sdp.MediaDescription), data: make(map[int]sdp.MediaName)}
	if o.alone, err = bundle(d); err != nil {
		return offer{}, err
	}
	for i, m := range d.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		t, ok := wanted[mid]
		direction := sdp.AttrKeyInactive
		if ok {
			if err := checkSection(m, t); err != nil {
				return offer{}, err
			}
			direction = t.direction()
			delete(wanted, mid)
		}
		if m.MediaName.Media != "application" {
			setDirection(m, direction)
			askForVoice(m)
		}
		if ok {
			s := &section{Track: t, content: m}
			s.extensions = extensions(m, tracks.Extensions(t.kind()))
			o.sections = append(o.sections, s)
		} else {
			o.leave(i, m)
		}
		drop(m, sdp.AttrKeyExtMap, "simulcast", "rid") // of several encodings the far end then sends the first
	}
	for mid := range wanted {
		return offer{}, status.Errorf(codes.InvalidArgument, "tracks: the offer has no media section with a=mid:%s", mid)
	}
	if err := o.unbundle(d); err != nil {
		return offer{}, err
	}
	o.setAside(d)
	o.description = d
	return o, o.marshal()
}

// keepSpare hides from pion that idle sections which were never used are inactive: it stops the receiver of a section
// that is inactive in a second offer, and does not start another when the section is used at last. To pion such a
// section receives, but nothing is sent in it; the answer says inactive.
func (o *offer) keepSpare(used map[string]bool) {
	for _, s := range o.idle {
		if !used[s.MID] {
			setDirection(s.content, sdp.AttrKeySendOnly)
			drop(s.content, "ssrc", "ssrc-group", sdp.AttrKeyMsid)
			o.spare = append(o.spare, s.MID)
		}
	}
}

// marshal writes the offer for pion.
func (o *offer) marshal() error {
	out, err := o.description.Marshal()
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "sdp: %v", err)
	}
	o.sdp = string(out)
	return nil
}

// narrow removes all codecs from the sections except the chosen one: of several, pion forgets those whose parameters
// differ from its own.
func (o *offer) narrow() error {
	for _, s := range o.sections {
		s.settleFeedback()
		s.settleRepairs()
	}
	for _, s := range slices.Concat(o.sections, o.idle) {
		pt := strconv.Itoa(int(s.codec.PayloadType))
		s.content.MediaName.Formats = []string{pt}
		s.content.Attributes = slices.DeleteFunc(s.content.Attributes, func(a sdp.Attribute) bool {
			of, _, _ := strings.Cut(a.Value, " ")
			return slices.Contains([]string{"rtpmap", "fmtp", "rtcp-fb"}, a.Key) && of != pt && of != "*"
		})
	}
	return o.marshal()
}

// leave keeps what the answer needs of an unused section. A later offer may use it.
func (o *offer) leave(i int, m *sdp.MediaDescription) {
	media := m.MediaName.Media
	if media == "application" {
		return
	}
	mid, _ := m.Attribute(sdp.AttrKeyMID)
	s := &section{Track: Track{MID: mid, Stream: tracks.Stream{Name: media}}, content: m}
	shared := false
	if media == Video || media == Audio {
		s.codec, shared = common(m, s.kind())
	}
	if shared {
		o.idle = append(o.idle, s)
	} else {
		o.rejected[i] = m
	}
}

// unbundle removes the rejected sections from the bundle, so that pion connects to the first of the others.
func (o *offer) unbundle(d *sdp.SessionDescription) error {
	if n := len(d.MediaDescriptions); n > 0 && len(o.rejected) == n {
		return status.Error(codes.FailedPrecondition, "sdp: no section offers a codec that the gateway knows: offer "+
			codecs.Demands(webrtc.RTPCodecTypeVideo)+", or "+codecs.Demands(webrtc.RTPCodecTypeAudio))
	}
	gone := make(map[string]*sdp.MediaDescription)
	for _, m := range o.rejected {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		gone[mid] = m
	}
	for i, a := range d.Attributes {
		if a.Key != sdp.AttrKeyGroup || !strings.HasPrefix(a.Value, "BUNDLE ") {
			continue
		}
		mids := strings.Fields(a.Value)[1:]
		kept := slices.DeleteFunc(slices.Clone(mids), func(mid string) bool { return gone[mid] != nil })
		d.Attributes[i].Value = strings.Join(append([]string{"BUNDLE"}, kept...), " ")
		for _, m := range d.MediaDescriptions {
			if mid, _ := m.Attribute(sdp.AttrKeyMID); len(kept) > 0 && mid == kept[0] && gone[mids[0]] != nil {
				inherit(m, gone[mids[0]])
			}
		}
	}
	return nil
}

// inherit copies to a section the transport that it shares with the first of its bundle.
func inherit(m, first *sdp.MediaDescription) {
	own, ok := m.Attribute("ice-ufrag")
	if theirs, _ := first.Attribute("ice-ufrag"); ok && own != theirs {
		return
	}
	before := slices.Clone(m.Attributes)
	for _, a := range first.Attributes {
		switch a.Key {
		case "ice-ufrag", "ice-pwd", "fingerprint", setupKey, sdp.AttrKeyCandidate, sdp.AttrKeyEndOfCandidates:
			if !slices.ContainsFunc(before, func(b sdp.Attribute) bool { return b.Key == a.Key }) {
				m.Attributes = append(m.Attributes, a)
			}
		}
	}
}

// parseOffer parses SDP and checks what every offer needs.
func parseOffer(text string) (*sdp.SessionDescription, error) {
	if strings.TrimSpace(text) == "" {
		return nil, status.Error(codes.InvalidArgument, "sdp: the offer is empty: send the SDP of "+
			"RTCPeerConnection.createOffer")
	}
	if len(text) > MaxOffer {
		return nil, status.Errorf(codes.InvalidArgument, "sdp: the offer has %d bytes, the limit is %d", len(text), MaxOffer)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "sdp: not a session description: %v", err)
	}
	if len(d.MediaDescriptions) > maxSections {
		return nil, status.Errorf(codes.InvalidArgument, "sdp: %d media sections, the limit is %d", len(d.MediaDescriptions),
			maxSections)
	}
	seen := make(map[string]bool)
	for i, m := range d.MediaDescriptions {
		mid, ok := m.Attribute(sdp.AttrKeyMID)
		switch {
		case !ok || mid == "":
			return nil, status.Errorf(codes.InvalidArgument, "sdp: media section %d has no a=mid", i)
		case seen[mid]:
			return nil, status.Errorf(codes.InvalidArgument, "sdp: two media sections have a=mid:%s", mid)
		}
		seen[mid] = true
	}
	return &d, checkTransport(&d)
}

// fingerprintForm is what RFC 8122 has in a=fingerprint: the name of a hash, and its value in hexadecimal.
var fingerprintForm = regexp.MustCompile(`^[A-Za-z0-9-]+ [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+$`)

// checkTransport checks that the offer contains what a connection needs.
func checkTransport(d *sdp.SessionDescription) error {
	attributes := slices.Clone(d.Attributes)
	for _, m := range d.MediaDescriptions {
		attributes = append(attributes, m.Attributes...)
	}
	for _, a := range attributes {
		if a.Key == "fingerprint" && !fingerprintForm.MatchString(strings.TrimSpace(a.Value)) {
			return status.Errorf(codes.InvalidArgument,
				"sdp: a=fingerprint:%.100q is not the name of a hash and its value, as in sha-256 AB:CD:…", a.Value)
		}
	}
	for _, key := range []string{"ice-ufrag", "ice-pwd", "fingerprint"} {
		if !slices.ContainsFunc(attributes, func(a sdp.Attribute) bool { return a.Key == key }) {
			return status.Errorf(codes.InvalidArgument, "sdp: a=%s is missing: send a complete WebRTC offer", key)
		}
	}
	return nil
}

// bundle checks that all sections of an offer share one connection. A single section need not be in a bundle.
func bundle(d *sdp.SessionDescription) (alone bool, err error) {
	if group, ok := d.Attribute(sdp.AttrKeyGroup); ok && strings.HasPrefix(group, "BUNDLE") {
		return false, nil
	}
	if len(d.MediaDescriptions) != 1 {
		return false, status.Errorf(codes.FailedPrecondition,
			"sdp: %d media sections and no a=group:BUNDLE: the gateway uses one connection for all of them, offer them with "+
				"bundle-policy max-bundle",
			len(d.MediaDescriptions))
	}
	mid, _ := d.MediaDescriptions[0].Attribute(sdp.AttrKeyMID)
	d.WithValueAttribute(sdp.AttrKeyGroup, "BUNDLE "+mid)
	return true, nil
}

// VideoSection returns the mid of the first media section of an offer that can receive video.
func VideoSection(text string) (mid string, err error) { return receivingSection(text, Video) }

// AudioSection returns the mid of the first media section of an offer that can receive audio.
func AudioSection(text string) (mid string, err error) { return receivingSection(text, Audio) }

// receivingSection prefers a section that offers a codec of the gateway. If none does, it returns the first that
// receives, so that [readOffer] can name the missing codec.
func receivingSection(text, media string) (mid string, err error) {
	sections, err := Sections(text)
	if err != nil {
		return "", err
	}
	found := false
	for _, s := range sections {
		if s.Media != media || !s.Receives {
			continue
		}
		if s.Shared {
			return s.MID, nil
		}
		if !found {
			mid, found = s.MID, true
		}
	}
	if found {
		return mid, nil
	}
	return "", status.Errorf(codes.InvalidArgument,
		"sdp: the offer has no %s section that receives: add a transceiver with direction recvonly", media)
}

func byMID(tracks []Track) (map[string]Track, error) {
	wanted := make(map[string]Track, len(tracks))
	voices := 0
	for _, t := range tracks {
		if t.Stream.Name == Speaker {
			voices++
		}
		if _, twice := wanted[t.MID]; twice {
			return nil, status.Errorf(codes.InvalidArgument, "tracks: mid %q is given twice", t.MID)
		}
		wanted[t.MID] = t
	}
	if voices > maxVoices {
		return nil, status.Errorf(codes.ResourceExhausted,
			"tracks: %d sections talk, the limit is %d: end those that are not needed", voices, maxVoices)
	}
	return wanted, nil
}

// checkSection checks that a section can carry its track.
func checkSection(m *sdp.MediaDescription, t Track) error {
	if m.MediaName.Media != t.media() {
		return status.Errorf(codes.InvalidArgument, "tracks: section %s is %q, not %s", t.MID, m.MediaName.Media, t.media())
	}
	for _, direction := range t.excluded() {
		if _, ok := m.Attribute(direction); ok {
			return status.Errorf(codes.InvalidArgument, "tracks: section %s is a=%s: for the stream %q offer a=%s",
				t.MID, direction, t.Stream.Name, t.direction())
		}
	}
	if _, ok := common(m, t.kind()); ok {
		return nil
	}
	if t.media() == "audio" {
		return status.Errorf(codes.FailedPrecondition, "section %s does not offer the only audio codec: %s", t.MID,
			codecs.Demands(t.kind()))
	}
	return status.Errorf(codes.FailedPrecondition, "section %s offers no codec that the gateway sends: that is %s, and "+
		"the section lists %s",
		t.MID, codecs.Demands(t.kind()), names(m))
}

// setDirection replaces the direction of a section.
func setDirection(m *sdp.MediaDescription, direction string) {
	drop(m, sdp.AttrKeySendRecv, sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeyInactive)
	m.WithPropertyAttribute(direction)
}

// drop removes attributes from a section.
func drop(m *sdp.MediaDescription, keys ...string) {
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool { return slices.Contains(keys, a.Key) })
}

// askForVoice replaces the far end's Opus parameters, which describe the audio it receives, by the gateway's, which
// describe the voice it receives.
func askForVoice(m *sdp.MediaDescription) {
	for i, a := range m.Attributes {
		pt, line, ok := strings.Cut(a.Value, " ")
		if a.Key != "fmtp" || !ok {
			continue
		}
		name, _ := attributeOf(m, "rtpmap", pt)
		if c, _ := codecs.Named(name); c != nil {
			m.Attributes[i].Value = pt + " " + c.Wish(line)
		}
	}
}
