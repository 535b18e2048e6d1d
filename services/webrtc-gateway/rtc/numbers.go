package rtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// numbers are the codec and the header extensions of one media section, under the numbers that the far end chose. They
// belong to the section: another section of the same offer may use other numbers for the same codec or extension. Pion
// keeps one table per connection, so its numbers are not used.
type numbers struct {
	codec      webrtc.RTPCodecParameters
	extensions []webrtc.RTPHeaderExtensionParameter
	repairType webrtc.PayloadType // of packets that are sent again in a stream of their own; 0: there is none
}

// same reports whether packets look alike under both.
func (n numbers) same(other numbers) bool {
	return n.codec.PayloadType == other.codec.PayloadType && n.codec.MimeType == other.codec.MimeType &&
		n.repairType == other.repairType && slices.Equal(n.extensions, other.extensions)
}

// numbered is a track in a media section. It is bound to the numbers of that section.
type numbered struct {
	*tracks.Track
	numbers numbers
}

// Bind implements [webrtc.TrackLocal].
func (n *numbered) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	return n.Track.Bind(numberedContext{c, n.numbers})
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

// listed returns the codecs of a section that the gateway knows, in the section's order.
func listed(m *sdp.MediaDescription) (known []webrtc.RTPCodecParameters) {
	for _, format := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		name, _ := attributeOf(m, "rtpmap", format)
		c, channels := codecs.Named(name)
		if c == nil {
			continue
		}
		fmtp, _ := attributeOf(m, "fmtp", format)
		// the answer states the channels if the offer does
		known = append(known, c.Parameters(webrtc.PayloadType(pt), channels, fmtp))
	}
	return known
}

// names returns the names of all codecs of a section, known or not, for messages.
func names(m *sdp.MediaDescription) string {
	var all []string
	for _, format := range m.MediaName.Formats {
		name, _ := attributeOf(m, "rtpmap", format)
		if name == "" {
			name = "payload type " + format
		}
		if fmtp, ok := attributeOf(m, "fmtp", format); ok && len(all) < maxNames {
			name += " (" + fmtp + ")"
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) > maxNames {
		all = append(all[:maxNames], "…")
	}
	return fmt.Sprintf("%.500s", strings.Join(all, ", "))
}

// maxNames limits how many codecs of an offer an error lists.
const maxNames = 12

// attributeOf returns an attribute of a section for one payload type.
func attributeOf(m *sdp.MediaDescription, key, format string) (value string, ok bool) {
	for _, a := range m.Attributes {
		if pt, rest, found := strings.Cut(a.Value, " "); found && a.Key == key && pt == format {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// common returns the codec of a kind that the gateway prefers among those a section lists; false if it knows none of
// them.
func common(m *sdp.MediaDescription, kind webrtc.RTPCodecType) (webrtc.RTPCodecParameters, bool) {
	for _, c := range codecs.All(kind) {
		if p, ok := c.Choose(listed(m), ""); ok {
			return p, true
		}
	}
	return webrtc.RTPCodecParameters{}, false
}

// extensions returns those header extensions of a section whose URIs are given. A number that stands for two is used
// for neither.
func extensions(m *sdp.MediaDescription, uris []string) (known []webrtc.RTPHeaderExtensionParameter) {
	uses := make(map[int]int)
	for _, a := range m.Attributes {
		var e sdp.ExtMap
		if a.Key != sdp.AttrKeyExtMap || e.Unmarshal(a.String()) != nil {
			continue // numbers above 255 ask for a new one, which the gateway does not assign
		}
		uses[e.Value]++
		received := e.Direction != sdp.DirectionSendOnly && e.Direction != sdp.DirectionInactive
		p := webrtc.RTPHeaderExtensionParameter{URI: e.URI.String(), ID: e.Value}
		if received && slices.Contains(uris, p.URI) && sendable(p, known) {
			known = append(known, p)
		}
	}
	return slices.DeleteFunc(known, func(p webrtc.RTPHeaderExtensionParameter) bool { return uses[p.ID] > 1 })
}

// sendable reports whether an extension can be sent in addition to those known.
func sendable(p webrtc.RTPHeaderExtensionParameter, known []webrtc.RTPHeaderExtensionParameter) bool {
	twice := slices.ContainsFunc(known, func(k webrtc.RTPHeaderExtensionParameter) bool { return k.URI == p.URI })
	return tracks.ExtensionNumber(p.ID) && !twice
}

// complete adds to an answer what pion does not know: the header extensions of each section, which sections are
// rejected, and who begins the handshake.
//
// repairedBy tells the SSRC of repairs of a section, if there are any.
func (o *offer) complete(answer string, repairedBy func(mid string) (webrtc.SSRC, bool)) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return "", err
	}
	o.putBack(&d)
	o.reject(&d)
	for _, m := range d.MediaDescriptions {
		o.answerSetup(m)
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		if slices.Contains(o.spare, mid) {
			setDirection(m, sdp.AttrKeyInactive)
		}
		s, ok := o.section(mid)
		if !ok {
			continue
		}
		s.answerFeedback(m)
		if ssrc, ok := repairedBy(mid); ok {
			s.answerRepairs(m, ssrc)
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

// Kinds of RTCP feedback about the path.
const (
	remb        = "goog-remb"    // estimates of the bit rate
	transportCC = "transport-cc" // reports of arrivals, by transport-wide numbers
)

// answerFeedback adds to the answer of a section the feedback about the path that both ends use: estimates in either
// direction, and reports of the packets that the gateway sends.
func (s *section) answerFeedback(answer *sdp.MediaDescription) {
	pt := strconv.Itoa(int(s.codec.PayloadType))
	at := slices.IndexFunc(answer.Attributes, func(a sdp.Attribute) bool { return a.Key == "rtpmap" }) + 1
	for _, kind := range []string{transportCC, remb} {
		if !s.feedback(kind) || kind == transportCC && !s.numbered() {
			continue
		}
		answer.Attributes = slices.Insert(answer.Attributes, at, sdp.NewAttribute("rtcp-fb", pt+" "+kind))
	}
}

// feedback reports whether the far end offers a kind of feedback for the codec of the section.
func (s *section) feedback(kind string) bool {
	pt := strconv.Itoa(int(s.codec.PayloadType))
	return slices.ContainsFunc(s.content.Attributes, func(a sdp.Attribute) bool {
		of, offered, _ := strings.Cut(a.Value, " ")
		return a.Key == "rtcp-fb" && offered == kind && (of == pt || of == "*")
	})
}

// numbered reports whether the packets of the section have transport-wide numbers.
func (s *section) numbered() bool {
	return slices.ContainsFunc(s.extensions, isTransport)
}

func isTransport(e webrtc.RTPHeaderExtensionParameter) bool { return e.URI == tracks.TransportURI }

// settleFeedback decides, once the codec is chosen, whether packets have transport-wide numbers: if they are of use,
// because the far end reports arrivals.
func (s *section) settleFeedback() {
	if s.incoming() || !s.feedback(transportCC) {
		s.extensions = slices.DeleteFunc(s.extensions, isTransport)
	}
}

// reject answers the sections that share no codec with port 0 and the numbers they offered. Pion puts its candidates
// into the first section; if that has port 0, they move to the first one that has not.
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
