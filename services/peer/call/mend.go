package call

import (
	"errors"
	"slices"

	"github.com/pion/sdp/v3"
)

// transport are the attributes of a section that say how it is reached.
var transport = []string{"ice-ufrag", "ice-pwd", "fingerprint", "setup"}

// mend makes the rejected sections of an answer inactive ones: pion takes no answer with sections that have nothing
// left to say how they are reached, and then the data channel would not come up either.
func mend(offer, answer string) (string, error) {
	var offered, d sdp.SessionDescription
	if err := offered.UnmarshalString(offer); err != nil {
		return "", err
	}
	if err := d.UnmarshalString(answer); err != nil {
		return "", err
	}
	live := slices.IndexFunc(d.MediaDescriptions,
		func(m *sdp.MediaDescription) bool { return m.MediaName.Port.Value != 0 })
	switch {
	case len(d.MediaDescriptions) != len(offered.MediaDescriptions):
		return "", errors.New("it has not the sections of the offer")
	case live < 0:
		return "", errors.New("it rejects everything, data included")
	}
	reach := reachOf(d.MediaDescriptions[live])
	for i, m := range d.MediaDescriptions {
		if m.MediaName.Port.Value == 0 {
			d.MediaDescriptions[i] = inactive(offered.MediaDescriptions[i], reach)
		}
	}
	text, err := d.Marshal()
	return string(text), err
}

// reachOf lists how a section is reached.
func reachOf(m *sdp.MediaDescription) (reach []sdp.Attribute) {
	for _, a := range m.Attributes {
		if slices.Contains(transport, a.Key) {
			reach = append(reach, a)
		}
	}
	return reach
}

// inactive is an offered section, answered as one that carries nothing.
func inactive(offered *sdp.MediaDescription, reach []sdp.Attribute) *sdp.MediaDescription {
	m := &sdp.MediaDescription{MediaName: offered.MediaName, ConnectionInformation: offered.ConnectionInformation}
	m.MediaName.Port = sdp.RangedPort{Value: 9}
	for _, a := range offered.Attributes {
		if slices.Contains([]string{"mid", "rtpmap", "fmtp", "rtcp-mux", "sctp-port"}, a.Key) {
			m.Attributes = append(m.Attributes, a)
		}
	}
	m.Attributes = append(m.Attributes, reach...)
	return m.WithPropertyAttribute("inactive")
}
