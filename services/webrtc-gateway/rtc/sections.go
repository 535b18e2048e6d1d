package rtc

import (
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// Section describes a media section of an offer, seen from the far end.
type Section struct {
	MID             string
	Media           string // video, audio, or what else SDP knows, for example application
	Sends, Receives bool
	Shared          bool   // it offers a codec that the gateway has
	Taken           bool   // it offers a codec that the gateway accepts
	Lists           string // the codecs that it offers, for messages
}

// Sections lists the media sections of an offer, in order.
func Sections(offer string) ([]Section, error) {
	d, err := parseOffer(offer)
	if err != nil {
		return nil, err
	}
	all := make([]Section, len(d.MediaDescriptions))
	for i, m := range d.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		all[i] = Section{MID: mid, Media: m.MediaName.Media, Sends: true, Receives: true}
		for _, a := range m.Attributes {
			switch a.Key {
			case sdp.AttrKeySendOnly:
				all[i].Receives = false
			case sdp.AttrKeyRecvOnly:
				all[i].Sends = false
			case sdp.AttrKeyInactive:
				all[i].Sends, all[i].Receives = false, false
			}
		}
		if m.MediaName.Media == Video || m.MediaName.Media == Audio {
			t := Track{}
			t.Stream.Name = m.MediaName.Media
			_, all[i].Shared = common(m, t.kind())
			_, all[i].Taken = received(m, t.kind())
			all[i].Lists = names(m)
		}
	}
	return all, nil
}

// Takes describes the codecs that the gateway accepts from far ends, for messages.
func Takes() string {
	return codecs.Takes(webrtc.RTPCodecTypeVideo) + ", and " + codecs.Takes(webrtc.RTPCodecTypeAudio)
}

// received returns the codec that the gateway prefers to receive among those that a section lists: what many peers list
// first is what they always had, not what suits them best.
func received(m *sdp.MediaDescription, kind webrtc.RTPCodecType) (*codecs.Codec, bool) {
	for _, c := range codecs.Received(kind) {
		if _, ok := c.Choose(listed(m), ""); ok {
			return c, true
		}
	}
	return nil, false
}
