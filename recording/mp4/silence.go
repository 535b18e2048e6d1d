package mp4

import (
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
)

// Silence is how long a packet of silence is.
const Silence = 20 * time.Millisecond

// SilentPacket returns an Opus packet of silence: a CELT frame of the full band, whose bits say that it is silent (RFC
// 6716, 3.1 and 4.3).
func SilentPacket(channels int) []byte {
	const fullBand, stereo = 31 << 3, 1 << 2
	if channels == 2 {
		return []byte{fullBand | stereo, 0xff, 0xfe}
	}
	return []byte{fullBand, 0xff, 0xfe}
}

// maxOpus is the largest Opus packet with one frame, in bytes (RFC 6716, 3.4); Waldo's have one.
const maxOpus = 1275

// maxOpusTime is the longest Opus packet (RFC 6716, 3.2.5).
const maxOpusTime = 120 * time.Millisecond

// OpusTime returns how long an Opus packet is; 0 if it is none.
func OpusTime(packet []byte) time.Duration {
	if len(packet) == 0 || len(packet) > maxOpus {
		return 0
	}
	t := time.Duration(opus.PacketDuration2(packet)) * time.Second / opusScale
	if t <= 0 || t > maxOpusTime {
		return 0
	}
	return t
}
