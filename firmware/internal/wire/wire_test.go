package wire_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

func TestCRC8(t *testing.T) {
	if got := wire.CRC8([]byte("123456789")); got != 0xF4 {
		t.Errorf("%#x, want the check value 0xf4", got)
	}
}

func TestEncode(t *testing.T) {
	got := wire.Command{Left: 0x0102, Right: -2}.Encode()
	if want := []byte{0xA5, 0x02, 0x01, 0xFE, 0xFF}; !bytes.Equal(got[:5], want) || got[5] != wire.CRC8(want[1:]) {
		t.Errorf("%x, want %x and its CRC", got, want)
	}
}

// frame is telemetry encoded by hand.
var frame = []byte{0x5A, 0x10, 0x27, 0, 0, 0xFF, 0, 1, 0xFF, 0xE8, 0x03, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xBA, 0xF3,
	0xE8, 0x1C, 3, 0}

var (
	good = append(slices.Clone(frame[:22]), wire.CRC8(frame[1:22]))
	bad  = append(slices.Clone(frame[:22]), wire.CRC8(frame[1:22])^1)
)

var streams = []struct {
	name    string
	stream  []byte
	frames  int
	skipped int
}{
	{"nothing", nil, 0, 0},
	{"one", good, 1, 0},
	{"two", slices.Concat(good, good), 2, 0},
	{"after the end of another", slices.Concat(good[20:], good), 1, 3},
	{"after a wrong one", slices.Concat(bad, good), 1, 23},
	{"after a byte was lost", slices.Concat(good[:5], good[6:], good), 1, 22},
	{"not yet complete", slices.Concat(good, good[:22]), 1, 0},
}

func TestReader(t *testing.T) {
	want := wire.Telemetry{Uptime: 10000, Left: 255, Right: -255, X: 1000, Y: -1, Heading: -3142, Battery: 7400, Flags: 3}
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			var reader wire.Reader
			frames := reader.Take(tt.stream)
			if len(frames) != tt.frames || reader.Skipped != tt.skipped {
				t.Errorf("%d frames, %d bytes skipped; want %d, %d", len(frames), reader.Skipped, tt.frames, tt.skipped)
			}
			for _, got := range frames {
				if got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			}
		})
	}
}

// FuzzReader checks that the result does not depend on how a stream is cut, and that every byte is counted once.
func FuzzReader(f *testing.F) {
	for _, tt := range streams {
		f.Add(tt.stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		var whole, single wire.Reader
		frames := whole.Take(stream)
		var one []wire.Telemetry
		for _, b := range stream {
			one = append(one, single.Take([]byte{b})...)
		}
		if !slices.Equal(frames, one) || whole.Skipped != single.Skipped {
			t.Errorf("%d frames, %d bytes skipped; byte by byte %d, %d", len(frames), whole.Skipped, len(one), single.Skipped)
		}
		if rest := len(stream) - whole.Skipped - len(frames)*wire.TelemetrySize; rest < 0 || rest >= wire.TelemetrySize {
			t.Errorf("%d bytes left of %d", rest, len(stream))
		}
	})
}
