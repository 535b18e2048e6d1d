package codecs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// table lists all codecs, in the order in which the gateway prefers them. The first of a kind is assumed for a device
// that does not name its media types.
var table = []*Codec{h264, h265, vp8, opus}

// Profile describes a stream more precisely than its codec, as read from its key frames. Each codec defines its
// meaning; the zero value is the most common one.
type Profile string

// Codec is one way to encode video or sound.
type Codec struct {
	// MediaType is its name in frames, streams and SDP, for example audio/opus.
	MediaType string
	Kind      webrtc.RTPCodecType
	ClockRate uint32
	Channels  uint16 // 0 for video
	// Demand describes what a media section has to offer, for error messages.
	Demand string
	// Independent is true if each frame can be decoded on its own. Otherwise no frame after a loss can be used up to the
	// next key frame.
	Independent bool
	// SendOnly codecs are sent to peers, and not accepted from them: what peers send is decoded for programs.
	SendOnly bool
	// MaxFrame bounds a frame in bytes; 0 means no bound.
	MaxFrame int

	feedback []webrtc.RTCPFeedback
	number   webrtc.PayloadType // in pion's table, see Register
	offers   []string           // parameters of a peer's own offers, see Offers; nil: one entry without
	// The rest may be nil.
	fragments       *fragmentation                                               // nil: frames are not levelled
	newPayloader    func() rtp.Payloader                                         // nil: a frame is a packet
	newDepacketizer func() rtp.Depacketizer                                      // nil: a frame is a packet
	begins          func(payload []byte) bool                                    // nil: every packet begins a frame
	isKey           func(frame *mediav1.VideoFrame) bool                         // nil: as flagged by the device
	usable          func(frame []byte) bool                                      // nil: every frame is
	profileOf       func(keyFrame []byte) (Profile, bool)                        // nil: there are none
	unlike          func(fmtp func(parameter string) string, stream Profile) int // nil: all offers are equal
	webCodecs       func(keyFrame []byte) string                                 // nil: the subtype of MediaType
	wish            func(fmtp string) string                                     // nil: none, see Wish
}

// videoFeedback is the RTCP feedback about video that the gateway handles.
func videoFeedback() []webrtc.RTCPFeedback {
	return []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
}

// All returns the codecs of a kind, the preferred one first.
func All(kind webrtc.RTPCodecType) []*Codec {
	return slices.DeleteFunc(slices.Clone(table), func(c *Codec) bool { return c.Kind != kind })
}

// Received returns the codecs of a kind that are accepted from peers, the preferred one first.
func Received(kind webrtc.RTPCodecType) []*Codec {
	return slices.DeleteFunc(All(kind), func(c *Codec) bool { return c.SendOnly })
}

// Of returns the codec of a media type; nil if the gateway has none.
func Of(mediaType string) *Codec {
	i := slices.IndexFunc(table, func(c *Codec) bool { return strings.EqualFold(c.MediaType, mediaType) })
	if i < 0 {
		return nil
	}
	return table[i]
}

// Named returns the codec and the channels that an rtpmap names; nil if the gateway does not have the codec. RFC 7587
// requires the two channels in the name of Opus, but GStreamer omits them if the caps of a player have no
// encoding-params, and still plays it.
func Named(rtpmap string) (c *Codec, channels uint16) {
	for _, c := range table {
		if strings.EqualFold(rtpmap, c.Name()) {
			return c, c.Channels
		}
		if name, _, _ := strings.Cut(c.Name(), c.channels()); c.Channels > 0 && strings.EqualFold(rtpmap, name) {
			return c, 0
		}
	}
	return nil, 0
}

// Name returns the name of the codec in an rtpmap, for example opus/48000/2.
func (c *Codec) Name() string {
	_, name, _ := strings.Cut(c.MediaType, "/")
	return name + "/" + strconv.Itoa(int(c.ClockRate)) + c.channels()
}

func (c *Codec) channels() string {
	if c.Channels == 0 {
		return ""
	}
	return "/" + strconv.Itoa(int(c.Channels))
}

// Demands describes what a media section of a kind has to offer, for error messages.
func Demands(kind webrtc.RTPCodecType) string { return demands(All(kind)) }

// Takes describes what the far end may send in media sections of a kind, for error messages.
func Takes(kind webrtc.RTPCodecType) string { return demands(Received(kind)) }

func demands(list []*Codec) string {
	var all []string
	for _, c := range list {
		all = append(all, c.Demand)
	}
	return strings.Join(all, ", or ")
}

// Register registers all codecs with pion. The numbers are for pion's own offers, which it never makes here: those of
// an answer and of the packets come from the offer.
func Register(m *webrtc.MediaEngine) error {
	for _, c := range table {
		if err := m.RegisterCodec(c.Parameters(c.number, c.Channels, ""), c.Kind); err != nil {
			return err
		}
	}
	return nil
}

// Parameters returns the codec as listed by a media section, in the form that pion uses.
func (c *Codec) Parameters(pt webrtc.PayloadType, channels uint16, fmtp string) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{PayloadType: pt, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: c.MediaType, ClockRate: c.ClockRate, Channels: channels, SDPFmtpLine: fmtp, RTCPFeedback: c.feedback,
	}}
}

// Choose selects, among the codecs that a media section lists, the entry for this codec that suits a stream best. It
// returns false if there is none.
func (c *Codec) Choose(listed []webrtc.RTPCodecParameters, stream Profile) (webrtc.RTPCodecParameters, bool) {
	best, at := webrtc.RTPCodecParameters{}, -1
	for _, p := range listed {
		if !strings.EqualFold(p.MimeType, c.MediaType) {
			continue
		}
		distance := 0
		if c.unlike != nil {
			distance = c.unlike(func(name string) string { return parameter(p.SDPFmtpLine, name) }, stream)
		}
		if distance >= 0 && (at < 0 || distance < at) {
			best, at = p, distance
		}
	}
	return best, at >= 0
}

// parameter returns one parameter of an fmtp line, empty if it is missing.
func parameter(fmtp, name string) string {
	for p := range strings.SplitSeq(fmtp, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(key, name) {
			return strings.ToLower(strings.TrimSpace(value))
		}
	}
	return ""
}

// NewPayloader returns a payloader for the frames of one stream.
func (c *Codec) NewPayloader() rtp.Payloader {
	if c.newPayloader == nil {
		return whole{}
	}
	return c.newPayloader()
}

// NewDepacketizer returns a depacketizer for the packets of one stream. Packets are given to it in order; after a loss
// a new one is needed. What it returns for the packets of a frame, in a row, is the frame.
func (c *Codec) NewDepacketizer() rtp.Depacketizer {
	if c.newDepacketizer == nil {
		return whole{}
	}
	return c.newDepacketizer()
}

// Begins reports whether the payload of a packet is the beginning of a frame, as far as the payload alone tells.
func (c *Codec) Begins(payload []byte) bool { return c.begins == nil || c.begins(payload) }

// whole is for codecs whose frames are packets.
type whole struct{}

// Unmarshal implements [rtp.Depacketizer].
func (whole) Unmarshal(packet []byte) ([]byte, error) { return packet, nil }

// IsPartitionHead implements [rtp.Depacketizer].
func (whole) IsPartitionHead([]byte) bool { return true }

// IsPartitionTail implements [rtp.Depacketizer].
func (whole) IsPartitionTail(bool, []byte) bool { return true }

// Payload implements [rtp.Payloader].
func (whole) Payload(_ uint16, frame []byte) [][]byte { return [][]byte{frame} }

// Usable reports whether data can be a frame of the codec.
func (c *Codec) Usable(frame []byte) bool {
	return len(frame) > 0 && (c.MaxFrame == 0 || len(frame) <= c.MaxFrame) && (c.usable == nil || c.usable(frame))
}

// IsKey reports whether a decoder can start with a frame.
func (c *Codec) IsKey(frame *mediav1.VideoFrame) bool {
	switch {
	case c.Independent:
		return true
	case c.isKey == nil:
		return frame.GetKeyFrame()
	}
	return c.isKey(frame)
}

// HasProfiles reports whether streams of the codec may need different decoders.
func (c *Codec) HasProfiles() bool { return c.profileOf != nil }

// ProfileOf reads the profile of a stream from a key frame. It returns false if the key frame does not contain it.
func (c *Codec) ProfileOf(keyFrame []byte) (Profile, bool) {
	if c.profileOf == nil {
		return "", false
	}
	return c.profileOf(keyFrame)
}

// WebCodecs returns the codec string for a browser's VideoDecoder, for a stream that starts with a key frame. It is
// empty if the key frame does not contain it.
func (c *Codec) WebCodecs(keyFrame []byte) string {
	if c.webCodecs == nil {
		_, name, _ := strings.Cut(c.MediaType, "/")
		return strings.ToLower(name)
	}
	return c.webCodecs(keyFrame)
}

// Wish replaces the parameters that a peer requests for the media it receives by those that the gateway requests for
// the media it receives, because an answer repeats them. The peer receives what the device encoded in any case.
func (c *Codec) Wish(fmtp string) string {
	if c.wish == nil {
		return fmtp
	}
	return c.wish(fmtp)
}
