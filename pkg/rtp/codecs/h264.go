package codecs

import (
	"encoding/hex"

	"github.com/pion/rtp"
	rtpcodecs "github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// h264 is H.264 in Annex B format. The device flags its key frames.
var h264 = &Codec{
	MediaType: media.H264, Kind: webrtc.RTPCodecTypeVideo, ClockRate: 90_000,
	Demand:   "H264/90000 with packetization-mode 1 or 0",
	feedback: videoFeedback(),
	number:   102,
	offers: []string{
		"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f",
		"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
	},
	fragments:       h264Fragments,
	newPayloader:    func() rtp.Payloader { return &rtpcodecs.H264Payloader{} },
	newDepacketizer: func() rtp.Depacketizer { return &rtpcodecs.H264Packet{} },
	begins:          h264Begins,
	profileOf:       h264ProfileOf,
	unlike:          h264Unlike,
	webCodecs: func(keyFrame []byte) string {
		sps, _ := annexb.ParameterSets(keyFrame)
		if len(sps) < 4 {
			return ""
		}
		return "avc1." + hex.EncodeToString(sps[1:4])
	},
}

// h264Unlike is the distance of the parameters of an offer from a stream: 0 is an exact match, negative cannot carry
// it.
//
// Players that list H.264 without packetization-mode, or with mode 0, get fragmentation units like all others: a NAL
// unit of a camera does not fit in a packet. GStreamer's and Chromium's depacketizers accept them in every mode. Mode 2
// has a different format.
func h264Unlike(fmtp func(string) string, stream Profile) int {
	distance := 0
	switch fmtp("packetization-mode") {
	case "1":
	case "0", "":
		distance = 100
	default:
		return -1
	}
	return distance + h264ProfileUnlike(h264Profile(stream), fmtp("profile-level-id"))
}

// h264ProfileOf reads the profile from the parameter sets of a key frame: profile_idc and the constraint flags.
func h264ProfileOf(keyFrame []byte) (Profile, bool) {
	sps, _ := annexb.ParameterSets(keyFrame)
	if len(sps) < 4 {
		return "", false
	}
	return Profile(sps[1:3]), true
}

// Types of packets that are no NAL unit of their own (RFC 6184, table 3).
const (
	h264Aggregate = 24 // STAP-A: NAL units of 16 bits of size each
	h264Fragment  = 28 // FU-A
)

// h264Fragments are FU-A: an indicator, and a header with bits for the first and the last (RFC 6184, 5.8).
var h264Fragments = &fragmentation{
	head: 2,
	is: func(p []byte) (fragment, first bool) {
		return len(p) > 2 && annexb.Type(p) == h264Fragment, len(p) > 2 && p[1]&0x80 != 0
	},
	ends: func(head []byte) bool { return head[1]&fragmentEnd != 0 },
	last: func(head []byte, last bool) { markEnd(&head[1], last) },
}

// fragmentEnd is the bit of the last fragment in the header of a fragmentation unit, of whatever codec has these.
const fragmentEnd = 0x40

func markEnd(header *byte, last bool) {
	*header &^= fragmentEnd
	if last {
		*header |= fragmentEnd
	}
}

// h264Begins looks at the first NAL unit of a packet: what stands before slices, or a slice of the picture's first
// macroblock, whose number 0 is a single bit that is set.
func h264Begins(payload []byte) bool {
	const aggregateHead = 3
	switch {
	case len(payload) > aggregateHead && annexb.Type(payload) == h264Aggregate:
		payload = payload[aggregateHead:]
	case len(payload) > 2 && annexb.Type(payload) == h264Fragment:
		if payload[1]&0x80 == 0 {
			return false
		}
		payload = payload[1:] // whose type is where that of a NAL unit is
	}
	switch annexb.Type(payload) {
	case annexb.TypeSEI, annexb.TypeSPS, annexb.TypePPS, annexb.TypeAUD:
		return true
	case annexb.TypeSlice, annexb.TypeIDR:
		return len(payload) > 1 && payload[1]&0x80 != 0
	}
	return false
}

// h264Family is a profile by name, ordered by how likely players can decode it.
type h264Family int

const (
	constrainedBaseline h264Family = iota
	baseline
	main
	constrainedHigh
	high
	otherProfile
)

// h264Profile returns the family of a stream. The zero value stands for constrained baseline, which Waldo's own encoder
// produces.
func h264Profile(p Profile) h264Family {
	if len(p) != 2 {
		return constrainedBaseline
	}
	return h264FamilyOf(p[0], p[1])
}

func h264FamilyOf(idc, flags byte) h264Family {
	switch {
	case idc == 66 && flags&0x40 != 0, idc == 77 && flags&0x80 != 0:
		return constrainedBaseline
	case idc == 66:
		return baseline
	case idc == 77:
		return main
	case idc == 100 && flags&0x0c == 0x0c:
		return constrainedHigh
	case idc == 100:
		return high
	}
	return otherProfile
}

// includes reports whether a decoder for one profile decodes streams of another.
func (f h264Family) includes(stream h264Family) bool {
	switch {
	case f == stream, stream == constrainedBaseline:
		return true
	case f == high:
		return stream == main || stream == constrainedHigh
	}
	return false
}

// h264ProfileUnlike is the distance of a profile-level-id in SDP from the profile of a stream: 0 is an exact match,
// then come profiles whose decoders decode the stream, then the rest. A player that lists no matching profile may still
// decode it, and is not refused.
func h264ProfileUnlike(stream h264Family, profileLevelID string) int {
	offered := baseline // the default of SDP
	if b, err := hex.DecodeString(profileLevelID); err == nil && len(b) == 3 {
		offered = h264FamilyOf(b[0], b[1])
	}
	switch {
	case offered == stream:
		return 0
	case offered.includes(stream):
		return 1 + int(offered)
	}
	return 10 + int(offered)
}
