package codecs

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"

	"github.com/pion/rtp"
	rtpcodecs "github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// h265 is H.265 in Annex B format, packed as in RFC 7798. It is never encoded here: a stream of it is what a camera
// sends.
var h265 = &Codec{
	MediaType: media.H265, Kind: webrtc.RTPCodecTypeVideo, ClockRate: 90_000,
	SendOnly:        true,
	Demand:          "H265/90000",
	feedback:        videoFeedback(),
	number:          104,
	fragments:       h265Fragments,
	newPayloader:    func() rtp.Payloader { return &rtpcodecs.H265Payloader{} },
	newDepacketizer: func() rtp.Depacketizer { return &rtpcodecs.H265Depacketizer{} },
	begins:          h265Begins,
	isKey:           func(f *mediav1.VideoFrame) bool { return h265Key(f.GetData()) },
	profileOf:       h265ProfileOf,
	unlike:          h265Unlike,
	webCodecs:       h265WebCodecs,
}

// Types of NAL units (H.265, table 7-1).
const (
	h265FirstKey = 16 // BLA, IDR and CRA pictures, with which decoding can begin
	h265LastKey  = 21
	h265VPS      = 32 // the first type that is not part of a picture
	h265SPS      = 33
	h265PPS      = 34
)

func h265Type(unit []byte) int { return int(unit[0] >> 1 & 0x3f) }

// Types of packets that are no NAL unit of their own (RFC 7798, 4.4).
const (
	h265Aggregate = 48
	h265Fragment  = 49
)

// h265Fragments are FU: a header of two bytes, and one with bits for the first and the last (RFC 7798, 4.4.3).
var h265Fragments = &fragmentation{
	head: 3,
	is: func(p []byte) (fragment, first bool) {
		return len(p) > 3 && h265Type(p) == h265Fragment, len(p) > 3 && p[2]&0x80 != 0
	},
	ends: func(head []byte) bool { return head[2]&fragmentEnd != 0 },
	last: func(head []byte, last bool) { markEnd(&head[2], last) },
}

// h265Begins looks at the first NAL unit of a packet: what stands before slices, or the first slice of a picture, which
// has the bit behind its header set.
func h265Begins(payload []byte) bool {
	const header, aggregateHead = 2, 4
	if len(payload) <= header {
		return false
	}
	switch h265Type(payload) {
	case h265Aggregate:
		payload = payload[min(aggregateHead, len(payload)):]
	case h265Fragment:
		if payload[header]&0x80 == 0 || len(payload) <= header+1 {
			return false
		}
		return payload[header]&0x3f >= h265VPS || payload[header+1]&0x80 != 0
	}
	if len(payload) <= header {
		return false
	}
	return h265Type(payload) >= h265VPS || payload[header]&0x80 != 0
}

// h265Key reports whether decoding can begin with a frame: it has all parameter sets, and then a picture that needs no
// other.
func h265Key(frame []byte) bool {
	sets := 0 // a bit for each kind
	for unit := range annexb.NALs(frame) {
		switch t := h265Type(unit); {
		case t < h265VPS:
			return t >= h265FirstKey && t <= h265LastKey && sets == 1<<(h265PPS-h265VPS+1)-1
		case t <= h265PPS:
			sets |= 1 << (t - h265VPS)
		}
	}
	return false
}

// h265Layer is what a decoder must be able to decode: the head of profile_tier_level in a parameter set.
type h265Layer struct {
	profile    byte // general_profile_idc
	tier       byte // 1 is the high one
	level      byte // 30 times the number of the level
	space      byte // 0 in all known versions of the standard
	compatible uint32
	limits     [6]byte
}

// h265LayerOf reads the first sequence parameter set of a key frame.
func h265LayerOf(keyFrame []byte) (l h265Layer, ok bool) {
	for unit := range annexb.NALs(keyFrame) {
		switch t := h265Type(unit); {
		case t == h265SPS:
			return readH265Layer(unit)
		case t < h265VPS:
			return h265Layer{}, false
		}
	}
	return h265Layer{}, false
}

const (
	h265LayerAt   = 3  // after the header, and numbers of parameter set and layers
	h265LayerSize = 12 // of what is read of profile_tier_level
	h265LayerRaw  = 32 // bytes of a parameter set that hold all that, with emulation prevention
)

func readH265Layer(sps []byte) (l h265Layer, ok bool) {
	b := annexb.Unescape(sps[:min(len(sps), h265LayerRaw)])
	if len(b) < h265LayerAt+h265LayerSize {
		return h265Layer{}, false
	}
	b = b[h265LayerAt:]
	l = h265Layer{
		profile: b[0] & 0x1f, tier: b[0] >> 5 & 1, space: b[0] >> 6,
		compatible: binary.BigEndian.Uint32(b[1:]), limits: [6]byte(b[5:]), level: b[11],
	}
	return l, true
}

// Profiles.
const (
	h265Main     = 1
	h265Main10   = 2
	h265Extended = 4 // format range extensions
)

// h265ProfileOf returns profile, tier and level. What a decoder of Main decodes as well is Main.
func h265ProfileOf(keyFrame []byte) (Profile, bool) {
	l, ok := h265LayerOf(keyFrame)
	if !ok {
		return "", false
	}
	if l.compatible&(1<<(31-h265Main)) != 0 {
		l.profile = h265Main
	}
	return Profile([]byte{l.profile, l.tier, l.level}), true
}

// h265Unlike is the distance of the parameters of an offer from a stream: 0 is an exact match, negative cannot carry
// it. Decoders of this codec are hardware, which decodes nothing above the level that was offered. Parameters that are
// left out have the values of RFC 7798, 7.1.
func h265Unlike(fmtp func(string) string, stream Profile) int {
	number := func(name, assumed string) int {
		n, err := strconv.ParseUint(cmp.Or(fmtp(name), assumed), 10, 8)
		if err != nil {
			return -1
		}
		return int(n)
	}
	if cmp.Or(fmtp("tx-mode"), "srst") != "srst" || number("profile-space", "0") != 0 {
		return -1
	}
	profile, tier := number("profile-id", "1"), number("tier-flag", "0")
	level := max(number("level-id", "93"), number("max-recv-level-id", "0"))
	if len(stream) != 3 {
		stream = Profile([]byte{h265Main, 0, 0})
	}
	if tier < int(stream[1]) || level < int(stream[2]) {
		return -1
	}
	return h265ProfileUnlike(profile, int(stream[0]))
}

// h265ProfileUnlike is the distance of profiles: decoders of later ones decode the earlier ones as well.
func h265ProfileUnlike(offered, stream int) int {
	switch {
	case offered == stream:
		return 0
	case stream == h265Main && (offered == h265Main10 || offered == h265Extended),
		stream == h265Main10 && offered == h265Extended:
		return offered
	}
	return -1
}

// h265WebCodecs returns the codec string of ISO/IEC 14496-15, E.3, for parameter sets that come in the stream.
func h265WebCodecs(keyFrame []byte) string {
	l, ok := h265LayerOf(keyFrame)
	if !ok {
		return ""
	}
	name := fmt.Sprintf("hev1.%s%d.%x.%c%d", [4]string{"", "A", "B", "C"}[l.space], l.profile,
		bits.Reverse32(l.compatible), "LH"[l.tier], l.level)
	limits := l.limits[:]
	for len(limits) > 0 && limits[len(limits)-1] == 0 {
		limits = limits[:len(limits)-1]
	}
	for _, b := range limits {
		name += fmt.Sprintf(".%x", b)
	}
	return name
}
