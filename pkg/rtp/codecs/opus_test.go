package codecs

import (
	"strings"
	"testing"
)

// opusPackets are packets by what is odd about them.
var opusPackets = []struct {
	name              string
	packet            []byte
	samples, channels int32 // 0: none
}{
	{"nothing", nil, 0, 0},
	{"SILK, 10 ms", []byte{0x00, 1}, 480, 1},
	{"SILK, 60 ms, stereo", []byte{0x1c, 1}, 2880, 2},
	{"hybrid, 20 ms", []byte{0x68, 1}, 960, 1},
	{"CELT, 2.5 ms", []byte{0x80, 1}, 120, 1},
	{"CELT, 20 ms", []byte{0x78 | 0x80, 1}, 960, 1},
	{"two frames of one size", []byte{0x99, 1}, 1920, 1},
	{"two of two sizes", []byte{0x9a, 1}, 1920, 1},
	{"six frames: 120 ms", []byte{0x9b, 6, 1}, 5760, 1},
	{"more than 120 ms", []byte{0x9b, 7, 1}, 0, 0},
	{"as many frames as can be said", []byte{0xff, 63, 1}, 0, 0},
	{"no frames", []byte{0x9b, 0}, 0, 0},
	{"how many is cut off", []byte{0x9b}, 0, 0},
	{"one byte: nothing is sent (DTX)", []byte{0x78}, 960, 1},
	{"too long", []byte(strings.Repeat("x", maxOpus+1)), 0, 0},
}

func TestReadOpus(t *testing.T) {
	for _, tt := range opusPackets {
		samples, channels, ok := ReadOpus(tt.packet)
		if samples != tt.samples || channels != tt.channels || ok != (tt.samples > 0) {
			t.Errorf("%s: %d samples, %d channels, %v; want %d, %d", tt.name, samples, channels, ok, tt.samples, tt.channels)
		}
	}
}

func FuzzReadOpus(f *testing.F) {
	for _, tt := range opusPackets {
		f.Add(tt.packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		samples, channels, ok := ReadOpus(packet)
		if ok != (samples > 0) || samples < 0 || samples > MaxOpusSamples || ok && channels != 1 && channels != 2 {
			t.Errorf("%x: %d samples, %d channels, %v", packet, samples, channels, ok)
		}
	})
}
