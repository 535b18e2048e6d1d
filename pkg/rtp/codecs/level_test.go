package codecs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// together puts a frame together again, as a far end does.
func together(t testing.TB, c *Codec, payloads [][]byte) (frame []byte) {
	t.Helper()
	d := c.NewDepacketizer()
	for i, p := range payloads {
		part, err := d.Unmarshal(bytes.Clone(p))
		if err != nil {
			t.Fatalf("payload %d of %d: %v", i, len(payloads), err)
		}
		frame = append(frame, part...)
	}
	return frame
}

// nal returns a NAL unit with a header, and other bytes that cannot be a start code.
func nal(size int, header ...byte) []byte {
	unit := append([]byte{0, 0, 0, 1}, header...)
	r := rand.New(rand.NewPCG(1, uint64(size)))
	for range size - len(header) {
		unit = append(unit, byte(1+r.IntN(255)))
	}
	return unit
}

func TestLevel(t *testing.T) {
	const mtu, less = 100, 12
	h264Slice := func(size int) []byte { return nal(size, 0x41, 0x9a) }
	vp8Picture := func(size int) []byte { return append([]byte{1, 0, 0}, nal(size-7)...) }
	h265Slice := func(size int) []byte { return nal(size, 0x02, 0x01, 0xd0) }
	for _, tt := range []struct {
		name  string
		codec *Codec
		frame []byte
		sizes []int
	}{
		{"one packet", h264, h264Slice(50), []int{50}},
		{"two packets", h264, h264Slice(150), []int{88, 65}},
		{"the last has no room", h264, h264Slice(1 + 98*2), []int{88, 100, 14}},
		{"the last has room for some", h264, h264Slice(1 + 98*2 - 5), []int{88, 100, 9}},
		{"the last has room for all", h264, h264Slice(1 + 98*2 - 12), []int{88, 100}},
		{"many", h264, h264Slice(1000), []int{88, 100, 100, 100, 100, 100, 100, 100, 100, 100, 33}},
		{
			"two slices", h264, append(h264Slice(250), h264Slice(150)...),
			[]int{88, 100, 67, 100, 53},
		},
		{
			"parameter sets first", h264,
			bytes.Join([][]byte{nal(10, 0x67), nal(5, 0x68), nal(250, 0x65, 0x88)}, nil), []int{20, 100, 100, 55},
		},
		{"a small slice first", h264, append(h264Slice(20), h264Slice(150)...), []int{20, 100, 53}},
		{"H.265", h265, h265Slice(250), []int{88, 100, 69}},
		{"VP8", vp8, vp8Picture(250), []int{88, 100, 65}},
		{"VP8, one packet more", vp8, vp8Picture(198), []int{88, 100, 13}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payloads := tt.codec.NewPayloader().Payload(mtu, tt.frame)
			want := together(t, tt.codec, payloads)
			var before [][]byte
			for _, p := range payloads {
				before = append(before, bytes.Clone(p))
			}
			level := tt.codec.Level(payloads, less)
			var sizes []int
			for _, p := range level {
				sizes = append(sizes, len(p))
			}
			if fmt.Sprint(sizes) != fmt.Sprint(tt.sizes) {
				t.Errorf("sizes are %v, want %v", sizes, tt.sizes)
			}
			if !bytes.Equal(together(t, tt.codec, level), want) {
				t.Error("it is another frame")
			}
			for i, p := range payloads {
				if !bytes.Equal(p, before[i]) {
					t.Errorf("payload %d was changed", i)
				}
			}
		})
	}
}

// FuzzLevel: whatever the payloads are, nothing is lost and the bounds hold.
func FuzzLevel(f *testing.F) {
	f.Add(nal(1000, 0x41, 0x9a), 12, uint8(0))
	f.Add(append(nal(300, 0x41, 0x9a), nal(500, 0x41, 0x9a)...), 98, uint8(0))
	f.Add(nal(1000, 0x02, 0x01, 0xd0), 1, uint8(1))
	f.Add(append([]byte{1, 0, 0}, nal(500)...), 40, uint8(2))
	f.Fuzz(func(t *testing.T, frame []byte, less int, which uint8) {
		const mtu = 100
		c := []*Codec{h264, h265, vp8}[which%3]
		if !c.Usable(frame) {
			return
		}
		payloads := c.NewPayloader().Payload(mtu, frame)
		level := c.Level(payloads, less)
		for i, p := range level {
			if len(p) > mtu || len(p) == 0 {
				t.Fatalf("payload %d has %d bytes", i, len(p))
			}
		}
		a, b := c.NewDepacketizer(), c.NewDepacketizer()
		var want, got []byte
		for _, p := range payloads {
			part, err := a.Unmarshal(bytes.Clone(p))
			if err != nil {
				return // it is no frame of the codec
			}
			want = append(want, part...)
		}
		for _, p := range level {
			part, err := b.Unmarshal(bytes.Clone(p))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes became %d", len(want), len(got))
		}
	})
}
