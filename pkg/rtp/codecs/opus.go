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
	// voiceBitrate is the bit rate requested from a browser that talks, in bit/s. Chromium's default is 32000 minus the
	// overhead of RTP and UDP; below about 30000 libopus omits in-band FEC when few packets are lost.
	voiceBitrate = 48_000
)

// opus is Opus. The receiver conceals lost packets.
var opus = &Codec{
	MediaType: "audio/opus", Kind: webrtc.RTPCodecTypeAudio, ClockRate: 48_000, Channels: 2,
	Demand:      "opus/48000/2",
	Independent: true,
	MaxFrame:    maxOpus,
	number:      111,
	offers:      []string{"minptime=10;useinbandfec=1;stereo=1"},
	wish:        opusWish,
}

// opusWish requests mono, because both channels of a voice are identical, at a bit rate that leaves room for FEC.
func opusWish(fmtp string) string {
	kept := slices.DeleteFunc(strings.Split(fmtp, ";"), func(p string) bool {
		key, _, _ := strings.Cut(strings.TrimSpace(p), "=")
		return key == "stereo" || key == "maxaveragebitrate"
	})
	return fmt.Sprintf("%s;maxaveragebitrate=%d", strings.Join(kept, ";"), voiceBitrate)
}

// durations are the frame durations of Opus in samples at 48 kHz, by the configuration in the first byte of a packet
// (RFC 6716, 3.1).
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

// ReadOpus returns the number of samples per channel in an Opus packet, and its channels. It reads only the head of the
// packet, and returns false if that is invalid.
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
