package rtc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/relay"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/voice"
)

const (
	// MaxOffer bounds an offer in bytes.
	MaxOffer = 64 << 10
	// maxSections bounds the media sections of one offer; browsers get slow before that.
	maxSections = 64
	// maxVoices bounds the speakers at which one peer talks.
	maxVoices = 4
	// opusCodec is how SDP names the codec of all sound.
	opusCodec = "opus/48000/2"
)

// Names of the streams that a section can be for.
const (
	Video   = "video"
	Audio   = "audio"
	Speaker = voice.Stream
)

// Track ties a media section of an offer to the stream it is for.
type Track struct {
	MID    string
	Stream relay.Stream
	Talker string // who speaks at a speaker, for people; empty: the name of the peer
}

// media is what the section of the track is called.
func (t Track) media() string {
	if t.Stream.Name == Video {
		return "video"
	}
	return "audio"
}

// direction is what the section of the track does, seen from the far end.
func (t Track) direction() string {
	if t.Stream.Name == Speaker {
		return sdp.AttrKeySendOnly
	}
	return sdp.AttrKeyRecvOnly
}

// offer is an offer that was read and narrowed to what the gateway does.
type offer struct {
	sdp string
	// The sections that are for something, in their order.
	tracks []Track
}

// readOffer checks an offer and makes all sections inactive but those in tracks, which do nothing but what they are for.
func readOffer(text string, tracks []Track) (offer, error) {
	d, err := parseOffer(text)
	if err != nil {
		return offer{}, err
	}
	wanted, err := byMID(tracks)
	if err != nil {
		return offer{}, err
	}
	var o offer
	for _, m := range d.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		t, ok := wanted[mid]
		direction := sdp.AttrKeyInactive
		if ok {
			if err := checkSection(m, t); err != nil {
				return offer{}, err
			}
			direction = t.direction()
			o.tracks = append(o.tracks, t)
			delete(wanted, mid)
		}
		if m.MediaName.Media != "application" {
			setDirection(m, direction)
			askForVoice(m)
		}
	}
	for mid := range wanted {
		return offer{}, status.Errorf(codes.InvalidArgument, "tracks: the offer has no media section with a=mid:%s", mid)
	}
	out, err := d.Marshal()
	if err != nil {
		return offer{}, status.Errorf(codes.InvalidArgument, "sdp: %v", err)
	}
	o.sdp = string(out)
	return o, nil
}

// parseOffer reads SDP and checks what every offer needs.
func parseOffer(text string) (*sdp.SessionDescription, error) {
	if strings.TrimSpace(text) == "" {
		return nil, status.Error(codes.InvalidArgument, "sdp: the offer is empty: send the SDP of RTCPeerConnection.createOffer")
	}
	if len(text) > MaxOffer {
		return nil, status.Errorf(codes.InvalidArgument, "sdp: the offer has %d bytes, %d are allowed", len(text), MaxOffer)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "sdp: not a session description: %v", err)
	}
	if len(d.MediaDescriptions) > maxSections {
		return nil, status.Errorf(codes.InvalidArgument, "sdp: %d media sections, %d are allowed", len(d.MediaDescriptions), maxSections)
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

// checkTransport sees to it that the offer can be connected to at all.
func checkTransport(d *sdp.SessionDescription) error {
	for _, key := range []string{"ice-ufrag", "ice-pwd", "fingerprint"} {
		_, ok := d.Attribute(key)
		for _, m := range d.MediaDescriptions {
			if _, inSection := m.Attribute(key); inSection {
				ok = true
			}
		}
		if !ok {
			return status.Errorf(codes.InvalidArgument, "sdp: there is no a=%s: send a complete WebRTC offer", key)
		}
	}
	return nil
}

// VideoSection returns the mid of the first media section of an offer that wants to be shown video.
func VideoSection(text string) (mid string, err error) { return receivingSection(text, "video") }

// AudioSection returns the mid of the first media section of an offer that wants to hear audio.
func AudioSection(text string) (mid string, err error) { return receivingSection(text, "audio") }

func receivingSection(text, media string) (mid string, err error) {
	d, err := parseOffer(text)
	if err != nil {
		return "", err
	}
	for _, m := range d.MediaDescriptions {
		_, sends := m.Attribute(sdp.AttrKeySendOnly)
		_, idle := m.Attribute(sdp.AttrKeyInactive)
		if m.MediaName.Media == media && !sends && !idle {
			mid, _ = m.Attribute(sdp.AttrKeyMID)
			return mid, nil
		}
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
		return nil, status.Errorf(codes.ResourceExhausted, "tracks: %d sections talk, %d may: end those that are not needed", voices, maxVoices)
	}
	return wanted, nil
}

// checkSection sees to it that a section can be what the track is for.
func checkSection(m *sdp.MediaDescription, t Track) error {
	if m.MediaName.Media != t.media() {
		return status.Errorf(codes.InvalidArgument, "tracks: section %s is %q, not %s", t.MID, m.MediaName.Media, t.media())
	}
	opposite := sdp.AttrKeySendOnly
	if t.direction() == sdp.AttrKeySendOnly {
		opposite = sdp.AttrKeyRecvOnly
	}
	for _, direction := range []string{opposite, sdp.AttrKeyInactive} {
		if _, ok := m.Attribute(direction); ok {
			return status.Errorf(codes.InvalidArgument, "tracks: section %s is a=%s: for the stream %q offer a=%s",
				t.MID, direction, t.Stream.Name, t.direction())
		}
	}
	switch {
	case t.media() == "video" && !takesH264(m):
		return status.Errorf(codes.FailedPrecondition,
			"section %s offers no codec that can be sent: it takes H264 with packetization-mode=1 (profile 42e01f, constrained baseline)", t.MID)
	case t.media() == "audio" && len(payloadTypes(m, opusCodec)) == 0:
		return status.Errorf(codes.FailedPrecondition, "section %s does not offer the codec that all sound has: %s", t.MID, opusCodec)
	}
	return nil
}

// payloadTypes are the numbers under which a section lists a codec.
func payloadTypes(m *sdp.MediaDescription, codec string) map[string]bool {
	types := make(map[string]bool)
	for _, a := range m.Attributes {
		if pt, name, ok := strings.Cut(a.Value, " "); ok && a.Key == "rtpmap" && strings.EqualFold(name, codec) {
			types[pt] = true
		}
	}
	return types
}

// takesH264 reports whether a section lists H.264 with fragments. The profile does not matter: what is sent is constrained
// baseline, which decoders of all profiles read.
func takesH264(m *sdp.MediaDescription) bool {
	h264 := payloadTypes(m, "H264/90000")
	for _, a := range m.Attributes {
		if pt, line, ok := strings.Cut(a.Value, " "); ok && a.Key == "fmtp" && h264[pt] && strings.Contains(line, "packetization-mode=1") {
			return true
		}
	}
	return false
}

// setDirection says what a section does, instead of what it said.
func setDirection(m *sdp.MediaDescription, direction string) {
	kept := m.Attributes[:0]
	for _, a := range m.Attributes {
		switch a.Key {
		case sdp.AttrKeySendRecv, sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeyInactive:
		default:
			kept = append(kept, a)
		}
	}
	m.Attributes = kept
	m.WithPropertyAttribute(direction)
}

// voiceBitrate is what a browser is asked to talk with, in bit/s. By itself Chromium takes 32000, less what RTP and UDP need; below about 30000 libopus
// leaves the copies of in-band FEC out when few packets are lost.
const voiceBitrate = 48_000

// askForVoice makes the wishes of a far end for the sound that it hears those of the gateway for the voice that it sends, because the answer repeats
// them. It hears what was coded in any case. Two channels would come for every voice, which are the same.
func askForVoice(m *sdp.MediaDescription) {
	opus := payloadTypes(m, opusCodec)
	for i, a := range m.Attributes {
		pt, line, ok := strings.Cut(a.Value, " ")
		if a.Key != "fmtp" || !ok || !opus[pt] {
			continue
		}
		kept := slices.DeleteFunc(strings.Split(line, ";"), func(p string) bool {
			key, _, _ := strings.Cut(strings.TrimSpace(p), "=")
			return key == "stereo" || key == "maxaveragebitrate"
		})
		m.Attributes[i].Value = fmt.Sprintf("%s %s;maxaveragebitrate=%d", pt, strings.Join(kept, ";"), voiceBitrate)
	}
}
