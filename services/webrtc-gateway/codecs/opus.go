package codecs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"
)

const (
	// maxOpus is the largest Opus frame, in bytes (RFC 6716, 3.4).
	maxOpus = 1275
	// MaxOpusSamples is the longest Opus packet: 120 ms at 48 kHz.
	MaxOpusSamples = 5760
	// voiceBitrate is what a browser is asked to talk with, in bit/s. By itself Chromium takes 32000, less what RTP and UDP need; below about
	// 30000 libopus leaves the copies of in-band FEC out when few packets are lost.
	voiceBitrate = 48_000
)

// opus is Opus. A lost packet is concealed by the far end.
var opus = &Codec{
	MediaType: "audio/opus", Kind: webrtc.RTPCodecTypeAudio, ClockRate: 48_000, Channels: 2,
	Demand:      "opus/48000/2",
	Independent: true,
	MaxFrame:    maxOpus,
	number:      111,
	wish:        opusWish,
}

// opusWish asks for voices in one channel, since the two of a voice are the same, at a rate at which there is room for FEC.
func opusWish(fmtp string) string {
	kept := slices.DeleteFunc(strings.Split(fmtp, ";"), func(p string) bool {
		key, _, _ := strings.Cut(strings.TrimSpace(p), "=")
		return key == "stereo" || key == "maxaveragebitrate"
	})
	return fmt.Sprintf("%s;maxaveragebitrate=%d", strings.Join(kept, ";"), voiceBitrate)
}

// durations are those of the frames of an Opus packet in samples at 48 kHz, by the configuration in its first byte (RFC 6716, 3.1).
var durations = func() (d [32]int) {
	for config := range d {
		switch {
		case config < 12: // SILK
			d[config] = []int{480, 960, 1920, 2880}[config%4]
		case config < 16: // hybrid
			d[config] = []int{480, 960}[config%2]
		default: // CELT
			d[config] = []int{120, 240, 480, 960}[config%4]
		}
	}
	return d
}()

// ReadOpus tells how many samples there are in each channel of an Opus packet, and how many channels were coded. It looks at the head of
// the packet only; false means that this is none.
func ReadOpus(packet []byte) (samples int32, channels int32, ok bool) {
	if len(packet) == 0 || len(packet) > maxOpus {
		return 0, 0, false
	}
	frames := 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0, 0, false
		}
		frames = int(packet[1] & 63)
	}
	n := frames * durations[packet[0]>>3]
	if n == 0 || n > MaxOpusSamples {
		return 0, 0, false
	}
	return int32(n), 1 + int32(packet[0]>>2&1), true
}
