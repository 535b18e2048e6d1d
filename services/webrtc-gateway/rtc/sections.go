package rtc

import "github.com/pion/sdp/v3"

// Section describes a media section of an offer, seen from the far end.
type Section struct {
	MID             string
	Media           string // video, audio, or what else SDP knows, for example application
	Sends, Receives bool
	Shared          bool // it offers a codec that the gateway has
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
		}
	}
	return all, nil
}
