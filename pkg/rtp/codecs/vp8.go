package codecs

import (
	"bytes"

	"github.com/pion/rtp"
	rtpcodecs "github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// vp8 is VP8. Its packets carry no picture IDs: all viewers of a stream share the payloads, and consecutive IDs for one
// of them would jump for another that skipped pictures, came from another stream, or got a group again. Without IDs
// receivers order pictures by sequence numbers, which have no gaps for any viewer.
var vp8 = &Codec{
	MediaType: media.VP8, Kind: webrtc.RTPCodecTypeVideo, ClockRate: 90_000,
	Demand:          "VP8/90000",
	feedback:        videoFeedback(),
	number:          96,
	fragments:       vp8Fragments,
	newPayloader:    func() rtp.Payloader { return &rtpcodecs.VP8Payloader{} },
	newDepacketizer: func() rtp.Depacketizer { return &rtpcodecs.VP8Packet{} },
	// RFC 7741, 4.2: S, PID 0
	begins: func(payload []byte) bool { return len(payload) > 0 && payload[0]&0x17 == 0x10 },
	usable: func(frame []byte) bool { return len(frame) >= vp8Tag && (frame[0]&1 != 0 || vp8Key(frame)) },
	isKey:  func(f *mediav1.VideoFrame) bool { return vp8Key(f.GetData()) },
}

// vp8Fragments have a descriptor of one byte, with a bit for the first (RFC 7741, 4.2).
var vp8Fragments = &fragmentation{
	head: 1,
	is:   func(p []byte) (fragment, first bool) { return len(p) > 1, len(p) > 1 && p[0]&0x10 != 0 },
}

const (
	vp8Tag = 3  // size of the tag at the start of every frame (RFC 6386, 9.1)
	vp8Top = 10 // size of tag, start code and dimensions at the start of a key frame
)

// vp8Key reports whether a frame is a key frame: its first bit is 0, and the start code follows the tag.
func vp8Key(frame []byte) bool {
	return len(frame) >= vp8Top && frame[0]&1 == 0 && bytes.Equal(frame[vp8Tag:vp8Tag+3], []byte{0x9d, 0x01, 0x2a})
}
