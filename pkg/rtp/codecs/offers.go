package codecs

import (
	"github.com/pion/webrtc/v4"
)

// firstDynamic is the first of the payload types that mean nothing by themselves.
const firstDynamic = 96

// Offers returns what a peer offers that receives and passes on whatever there is: all codecs of a kind, with one entry
// for each set of parameters by which those who send choose. The payload types are different for all kinds.
func Offers(kind webrtc.RTPCodecType) []webrtc.RTPCodecParameters {
	var all []webrtc.RTPCodecParameters
	pt := webrtc.PayloadType(firstDynamic)
	for _, c := range table {
		offers := c.offers
		if len(offers) == 0 {
			offers = []string{""}
		}
		for _, fmtp := range offers {
			if c.Kind == kind {
				all = append(all, c.Parameters(pt, c.Channels, fmtp))
			}
			pt++
		}
	}
	return all
}

// RegisterOffers registers all codecs with pion for a peer that makes the offers.
func RegisterOffers(m *webrtc.MediaEngine) error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		for _, p := range Offers(kind) {
			if err := m.RegisterCodec(p, kind); err != nil {
				return err
			}
		}
	}
	return nil
}
