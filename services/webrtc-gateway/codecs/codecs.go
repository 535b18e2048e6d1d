package codecs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// table is all codecs, in the order in which the gateway prefers them. The first of a kind is assumed of a device that does not say
// what its streams are.
var table = []*Codec{h264, vp8, opus}

// Profile says more about a stream than its codec does, as its key frames say it. Its meaning is the codec's own; the zero value is
// what most streams have.
type Profile string

// Codec is one way to encode video or sound.
type Codec struct {
	// MediaType is what frames, streams and SDP call it, for example audio/opus.
	MediaType string
	Kind      webrtc.RTPCodecType
	ClockRate uint32
	Channels  uint16 // 0 for video
	// Demand is what a section has to offer, for people.
	Demand string
	// Independent is true if each frame can be decoded by itself, so that a loss costs nothing but what was lost. Otherwise nothing
	// after a loss can be used up to the next key frame.
	Independent bool
	// MaxFrame bounds a frame in bytes; 0 means that RTP does not.
	MaxFrame int

	feedback []webrtc.RTCPFeedback
	number   webrtc.PayloadType // of pion's table, see Register
	// The rest may be nil where a codec has no such rule.
	newPayloader func() rtp.Payloader                                         // nil: a frame is a packet
	isKey        func(frame *mediav1.VideoFrame) bool                         // nil: the device knows
	usable       func(frame []byte) bool                                      // nil: every frame is
	profileOf    func(keyFrame []byte) (Profile, bool)                        // nil: there are none
	unlike       func(fmtp func(parameter string) string, stream Profile) int // nil: all offers are alike
	webCodecs    func(keyFrame []byte) string                                 // nil: the part of MediaType after the slash
	wish         func(fmtp string) string                                     // nil: none, see Wish
}

// feedback is what the gateway understands of what a player reports about video.
func videoFeedback() []webrtc.RTCPFeedback {
	return []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
}

// All returns the codecs of a kind, the preferred one first.
func All(kind webrtc.RTPCodecType) []*Codec {
	return slices.DeleteFunc(slices.Clone(table), func(c *Codec) bool { return c.Kind != kind })
}

// Of returns the codec of a media type; nil if the gateway has none.
func Of(mediaType string) *Codec {
	i := slices.IndexFunc(table, func(c *Codec) bool { return strings.EqualFold(c.MediaType, mediaType) })
	if i < 0 {
		return nil
	}
	return table[i]
}

// Named returns the codec that an rtpmap names, and the channels that it names; nil if the gateway has none. RFC 7587 demands the two
// channels in the name of Opus, but GStreamer leaves them out if the caps of a player have no encoding-params, and plays it all the
// same.
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

// Name is what an rtpmap calls the codec, for example opus/48000/2.
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

// Demands is what a section of a kind has to offer, for people.
func Demands(kind webrtc.RTPCodecType) string {
	var all []string
	for _, c := range All(kind) {
		all = append(all, c.Demand)
	}
	return strings.Join(all, ", or ")
}

// Register tells pion of all codecs. The numbers are pion's when it offers, which it never does here: those of an answer and of the
// packets come from the offer.
func Register(m *webrtc.MediaEngine) error {
	for _, c := range table {
		if err := m.RegisterCodec(c.Parameters(c.number, c.Channels, ""), c.Kind); err != nil {
			return err
		}
	}
	return nil
}

// Parameters are the codec as pion has it, as a section lists it.
func (c *Codec) Parameters(pt webrtc.PayloadType, channels uint16, fmtp string) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{PayloadType: pt, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: c.MediaType, ClockRate: c.ClockRate, Channels: channels, SDPFmtpLine: fmtp, RTCPFeedback: c.feedback,
	}}
}

// Choose takes the parameters, of those that a section lists, under which a stream of the codec suits the player best; false if there
// are none.
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

// parameter is one of the parameters in an fmtp line, empty if it is not there.
func parameter(fmtp, name string) string {
	for p := range strings.SplitSeq(fmtp, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(key, name) {
			return strings.ToLower(strings.TrimSpace(value))
		}
	}
	return ""
}

// NewPayloader returns what cuts the frames of one stream into RTP payloads.
func (c *Codec) NewPayloader() rtp.Payloader {
	if c.newPayloader == nil {
		return whole{}
	}
	return c.newPayloader()
}

// whole is for codecs whose frames are packets.
type whole struct{}

// Payload implements [rtp.Payloader].
func (whole) Payload(_ uint16, frame []byte) [][]byte { return [][]byte{frame} }

// Usable reports whether the data of a frame can be of the codec at all.
func (c *Codec) Usable(frame []byte) bool {
	return len(frame) > 0 && (c.MaxFrame == 0 || len(frame) <= c.MaxFrame) && (c.usable == nil || c.usable(frame))
}

// IsKey reports whether a decoder can begin with a frame.
func (c *Codec) IsKey(frame *mediav1.VideoFrame) bool {
	switch {
	case c.Independent:
		return true
	case c.isKey == nil:
		return frame.GetKeyFrame()
	}
	return c.isKey(frame)
}

// HasProfiles reports whether streams of the codec differ in what decoders they need.
func (c *Codec) HasProfiles() bool { return c.profileOf != nil }

// ProfileOf reads the profile of a stream from one of its key frames; false if it does not say.
func (c *Codec) ProfileOf(keyFrame []byte) (Profile, bool) {
	if c.profileOf == nil {
		return "", false
	}
	return c.profileOf(keyFrame)
}

// WebCodecs is the name under which a browser's VideoDecoder takes a stream that begins with a key frame.
func (c *Codec) WebCodecs(keyFrame []byte) string {
	if c.webCodecs == nil {
		_, name, _ := strings.Cut(c.MediaType, "/")
		return strings.ToLower(name)
	}
	return c.webCodecs(keyFrame)
}

// Wish turns the wishes of a far end for what it receives into those of the gateway for what it receives, because an answer repeats
// them. The far end is sent what the device made in any case.
func (c *Codec) Wish(fmtp string) string {
	if c.wish == nil {
		return fmtp
	}
	return c.wish(fmtp)
}
