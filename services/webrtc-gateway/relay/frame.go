package relay

import (
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/waldo-robot/waldo/pkg/media"
)

// mtu bounds an RTP payload: with headers, extensions and the SRTP tag a packet stays below 1280 bytes, which every path carries.
const mtu = 1200

// frame is one picture cut into RTP payloads. It is shared by all viewers and never changed.
type frame struct {
	data      []byte // as the device made it, for readers
	payloads  [][]byte
	timestamp uint32
	key       bool
	size      int // of all payloads together
	capture   time.Time
	received  time.Time
	// Values of the header extensions: what is sent again must be what was sent, to the bit.
	captureNTP [8]byte
}

// newPayloader returns what cuts pictures of a media type into payloads, nil if no viewer can be sent that type.
func newPayloader(mediaType string) rtp.Payloader {
	if mediaType == media.H264 {
		return &codecs.H264Payloader{}
	}
	return nil
}
