package rtc

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/relay"
)

// numbers are the codec and the header extensions of one media section, under the numbers that the far end gave them. They belong to the
// section: another section of the same offer may give the same codec or extension another number. Pion keeps one table for a whole
// connection, so it is not asked for them.
type numbers struct {
	codec      webrtc.RTPCodecParameters
	extensions []webrtc.RTPHeaderExtensionParameter
}

// same reports whether packets look alike under both.
func (n numbers) same(other numbers) bool {
	return n.codec.PayloadType == other.codec.PayloadType && slices.Equal(n.extensions, other.extensions)
}

// numbered is an outlet in a media section. It is bound to the numbers of the section.
type numbered struct {
	outlet
	numbers numbers
}

// Bind implements [webrtc.TrackLocal].
func (n *numbered) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	return n.outlet.Bind(numberedContext{c, n.numbers})
}

// numberedContext is the context of a track with the numbers of its section.
type numberedContext struct {
	webrtc.TrackLocalContext
	numbers numbers
}

func (c numberedContext) CodecParameters() []webrtc.RTPCodecParameters {
	return []webrtc.RTPCodecParameters{c.numbers.codec}
}

func (c numberedContext) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return c.numbers.extensions
}

// videoFeedback is what the gateway understands of what a player reports about video.
func videoFeedback() []webrtc.RTCPFeedback {
	return []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
}

// listed are the codecs that a section lists and that the gateway knows, in the order of the section.
func listed(m *sdp.MediaDescription) (codecs []webrtc.RTPCodecParameters) {
	for _, format := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		name, _ := attributeOf(m, "rtpmap", format)
		c := webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(pt)}
		switch {
		case strings.EqualFold(name, "H264/90000"):
			c.MimeType, c.ClockRate, c.RTCPFeedback = webrtc.MimeTypeH264, 90000, videoFeedback()
		case isOpus(name):
			c.MimeType, c.ClockRate = webrtc.MimeTypeOpus, 48000
			if strings.HasSuffix(name, "/2") {
				c.Channels = 2 // the answer names them if the offer does
			}
		default:
			continue
		}
		c.SDPFmtpLine, _ = attributeOf(m, "fmtp", format)
		codecs = append(codecs, c)
	}
	return codecs
}

// attributeOf is what an attribute of a section says about one payload type.
func attributeOf(m *sdp.MediaDescription, key, format string) (value string, ok bool) {
	for _, a := range m.Attributes {
		if pt, rest, found := strings.Cut(a.Value, " "); found && a.Key == key && pt == format {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// parameter is one of the parameters in an fmtp line, empty if it is not there.
func parameter(c webrtc.RTPCodecParameters, name string) string {
	for p := range strings.SplitSeq(c.SDPFmtpLine, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(key, name) {
			return strings.ToLower(strings.TrimSpace(value))
		}
	}
	return ""
}

// chooseCodec takes the codec of a section that suits a stream best; false if there is none.
func chooseCodec(m *sdp.MediaDescription, mime string, stream relay.Profile) (webrtc.RTPCodecParameters, bool) {
	best, at := webrtc.RTPCodecParameters{}, -1
	for _, c := range listed(m) {
		if c.MimeType != mime {
			continue
		}
		if distance := unlike(c, stream); distance >= 0 && (at < 0 || distance < at) {
			best, at = c, distance
		}
	}
	return best, at >= 0
}

// unlike is how far a codec of an offer is from what a stream holds: 0 is the same, negative cannot carry it.
//
// Players that list H.264 without packetization-mode, or with mode 0, are sent fragments like all others: one NAL unit of a camera does
// not fit a packet. GStreamer's and Chromium's depacketizers take them in every mode. Mode 2 has other packets.
func unlike(c webrtc.RTPCodecParameters, stream relay.Profile) int {
	if c.MimeType != webrtc.MimeTypeH264 {
		return 0
	}
	distance := 0
	switch parameter(c, "packetization-mode") {
	case "1":
	case "0", "":
		distance = 100
	default:
		return -1
	}
	return distance + stream.Unlike(parameter(c, "profile-level-id"))
}

// extensions are the header extensions of a section that the gateway sends. A number that stands for two is used for neither.
func extensions(m *sdp.MediaDescription) (known []webrtc.RTPHeaderExtensionParameter) {
	uses := make(map[int]int)
	for _, a := range m.Attributes {
		var e sdp.ExtMap
		if a.Key != sdp.AttrKeyExtMap || e.Unmarshal(a.String()) != nil {
			continue // numbers above 255 ask for another one, which is not given
		}
		uses[e.Value]++
		received := e.Direction != sdp.DirectionSendOnly && e.Direction != sdp.DirectionInactive
		if p := (webrtc.RTPHeaderExtensionParameter{URI: e.URI.String(), ID: e.Value}); received && sendable(p, known) {
			known = append(known, p)
		}
	}
	return slices.DeleteFunc(known, func(p webrtc.RTPHeaderExtensionParameter) bool { return uses[p.ID] > 1 })
}

// sendable reports whether an extension can be sent besides those known.
func sendable(p webrtc.RTPHeaderExtensionParameter, known []webrtc.RTPHeaderExtensionParameter) bool {
	twice := slices.ContainsFunc(known, func(k webrtc.RTPHeaderExtensionParameter) bool { return k.URI == p.URI })
	return slices.Contains(relay.Extensions(), p.URI) && relay.ExtensionNumber(p.ID) && !twice
}

// complete adds to an answer what pion does not know of: the header extensions of each section, and which sections are rejected.
func (o *offer) complete(answer string) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return "", err
	}
	o.reject(&d)
	for _, m := range d.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		s, ok := o.section(mid)
		if !ok {
			continue
		}
		for _, e := range s.extensions {
			m.WithValueAttribute(sdp.AttrKeyExtMap, strconv.Itoa(e.ID)+" "+e.URI)
		}
	}
	if o.alone {
		d.Attributes = slices.DeleteFunc(d.Attributes, func(a sdp.Attribute) bool { return a.Key == sdp.AttrKeyGroup })
	}
	text, err := d.Marshal()
	return string(text), err
}

// reject answers the sections that share no codec at port 0, with the numbers that they offered. Pion puts its candidates into the first
// section; if that is at port 0, they move into the first that is not.
func (o *offer) reject(d *sdp.SessionDescription) {
	var candidates []sdp.Attribute
	for i, m := range d.MediaDescriptions {
		if m.MediaName.Port.Value != 0 && o.rejected[i] == nil {
			m.Attributes = append(m.Attributes, candidates...)
			candidates = nil
			continue
		}
		for _, a := range m.Attributes {
			if a.IsICECandidate() || a.Key == sdp.AttrKeyEndOfCandidates {
				candidates = append(candidates, a)
			}
		}
		drop(m, sdp.AttrKeyCandidate, sdp.AttrKeyEndOfCandidates)
		if offered := o.rejected[i]; offered != nil {
			m.MediaName = offered.MediaName
			m.MediaName.Port = sdp.RangedPort{}
			m.Attributes = slices.DeleteFunc(slices.Clone(offered.Attributes), func(a sdp.Attribute) bool {
				return !slices.Contains([]string{sdp.AttrKeyMID, sdp.AttrKeyInactive, "rtpmap", "fmtp"}, a.Key)
			})
		}
	}
}
