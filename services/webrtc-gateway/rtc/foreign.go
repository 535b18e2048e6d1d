package rtc

import (
	"slices"

	"github.com/pion/sdp/v3"
)

// An answer has the sections of its offer, each in the protocol that it was offered in (RFC 9429, 5.3.1). Pion leaves
// out sections of kinds that it does not know, and always answers data as RFC 8841 has it. So it does not see the
// former, and its answer about the latter is put into the form of the offer.

// legacySCTP is what the map of a port says in the form of data before RFC 8841: the largest count of streams.
const legacySCTP = " webrtc-datachannel 65535"

// setAside removes the sections of unknown kinds from what pion sees. They are rejected.
func (o *offer) setAside(d *sdp.SessionDescription) {
	var kept []*sdp.MediaDescription
	for i, m := range d.MediaDescriptions {
		switch m.MediaName.Media {
		case Video, Audio:
			kept = append(kept, m)
		case "application":
			o.data[i] = m.MediaName
			kept = append(kept, m)
		default:
			o.foreign = append(o.foreign, i)
		}
	}
	d.MediaDescriptions = kept
}

// putBack adds to an answer what was set aside, and gives its data the form of the offer.
func (o *offer) putBack(d *sdp.SessionDescription) {
	for _, i := range o.foreign {
		offered := o.rejected[i]
		d.MediaDescriptions = slices.Insert(d.MediaDescriptions, i, &sdp.MediaDescription{
			MediaName: offered.MediaName,
			ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: "IP4",
				Address: &sdp.Address{Address: "0.0.0.0"}},
		})
	}
	for i, offered := range o.data {
		m := d.MediaDescriptions[i]
		m.MediaName.Protos = offered.Protos
		if legacy := slices.Equal(offered.Protos, []string{"DTLS", "SCTP"}); !legacy || len(offered.Formats) != 1 {
			continue
		}
		m.MediaName.Formats = offered.Formats
		drop(m, "sctp-port")
		m.WithValueAttribute("sctpmap", offered.Formats[0]+legacySCTP)
	}
}
