package rtp

import (
	"bytes"
	"encoding/hex"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// drawn is a picture with something to see in it.
func drawn(width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, color.RGBA{R: uint8(x * 5), G: uint8(y * 7), B: uint8(x * y), A: 255})
		}
	}
	return img
}

// encoded is a JPEG, and what RTP carries of it: the coded picture and the tables for quantization.
func encoded(t testing.TB, img image.Image, quality int) (whole, scan, tables []byte) {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	whole = out.Bytes()
	for i := 2; i+4 <= len(whole); {
		end := i + 2 + (int(whole[i+2])<<8 | int(whole[i+3]))
		switch whole[i+1] {
		case 0xdb:
			tables = append(append(tables, whole[i+5:i+69]...), whole[i+70:i+134]...)
		case 0xda:
			return whole, whole[end : len(whole)-2], tables
		}
		i = end
	}
	t.Fatal("no scan")
	return nil, nil, nil
}

// jpegPacket is one packet: offset, type, Q, width and height in units of 8, what follows.
func jpegPacket(seq uint16, ts uint32, marker bool, offset int, kind, q byte, w, h int, body ...[]byte) *rtp.Packet {
	header := []byte{0, byte(offset >> 16), byte(offset >> 8), byte(offset), kind, q, byte(w / 8), byte(h / 8)}
	return &rtp.Packet{
		Header:  rtp.Header{SequenceNumber: seq, Timestamp: ts, Marker: marker},
		Payload: append(header, bytes.Join(body, nil)...),
	}
}

func receiveJPEG(t testing.TB, packets ...*rtp.Packet) (got []feed.Picture) {
	t.Helper()
	a, err := New(configOf(media.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		a.Push(p, start, feed.Receiver{Picture: func(p feed.Picture) { got = append(got, p) }})
	}
	return got
}

// same checks that a JPEG shows the same picture as another.
func same(t *testing.T, got, want []byte) {
	t.Helper()
	a, err := jpeg.Decode(bytes.NewReader(got))
	if err != nil {
		t.Fatalf("what came out: %v", err)
	}
	b, err := jpeg.Decode(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if a.Bounds() != b.Bounds() {
		t.Fatalf("size %v, want %v", a.Bounds(), b.Bounds())
	}
	for y := range b.Bounds().Dy() {
		for x := range b.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				t.Fatalf("at %d, %d: %v, want %v", x, y, a.At(x, y), b.At(x, y))
			}
		}
	}
}

func TestJPEGQualities(t *testing.T) {
	img := drawn(64, 48)
	for _, q := range []int{1, 10, 49, 50, 51, 75, 99} {
		whole, scan, _ := encoded(t, img, q)
		half := len(scan) / 2
		got := receiveJPEG(t, jpegPacket(1, 0, false, 0, 1, byte(q), 64, 48, scan[:half]),
			jpegPacket(2, 0, true, half, 1, byte(q), 64, 48, scan[half:]))
		if len(got) != 1 {
			t.Fatalf("Q %d: %d pictures", q, len(got))
		}
		same(t, got[0].Data[0], whole)
	}
}

func TestJPEGTables(t *testing.T) {
	whole, scan, tables := encoded(t, drawn(64, 48), 30)
	luma, chroma := tables[:64], tables[64:]
	// Without colours the table of chroma does not matter.
	black, blackScan, _ := encoded(t, image.NewRGBA(image.Rect(0, 0, 64, 48)), 30)
	wide := make([]byte, 0, 128)
	for _, v := range luma {
		wide = append(wide, 0, v)
	}
	for _, tt := range []struct {
		name        string
		q           byte
		body, whole []byte
	}{
		{"two", 255, bytes.Join([][]byte{{0, 0, 0, 128}, tables, scan}, nil), whole},
		{"three", 128, bytes.Join([][]byte{{0, 0, 0, 192}, luma, chroma, chroma, scan}, nil), whole},
		{"one", 255, bytes.Join([][]byte{{0, 0, 0, 64}, luma, blackScan}, nil), black},
		{"16 bits", 255, bytes.Join([][]byte{{0, 1, 0, 192}, wide, chroma, scan}, nil), whole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := receiveJPEG(t, jpegPacket(1, 0, true, 0, 1, tt.q, 64, 48, tt.body))
			if len(got) != 1 {
				t.Fatalf("%d pictures", len(got))
			}
			same(t, got[0].Data[0], tt.whole)
		})
	}
	t.Run("sent once", func(t *testing.T) {
		got := receiveJPEG(t, jpegPacket(1, 0, true, 0, 1, 200, 64, 48, []byte{0, 0, 0, 128}, tables, scan),
			jpegPacket(2, 1, true, 0, 1, 200, 64, 48, []byte{0, 0, 0, 0}, scan))
		if len(got) != 2 {
			t.Fatalf("%d pictures", len(got))
		}
		same(t, got[1].Data[0], whole)
	})
}

// TestJPEGRestartMarkers: a scan of two blocks with a restart marker between them shows what the blocks show,
// each alone.
func TestJPEGRestartMarkers(t *testing.T) {
	img := drawn(32, 16)
	left, scanLeft, _ := encoded(t, img.SubImage(image.Rect(0, 0, 16, 16)), 80)
	_, scanRight, _ := encoded(t, img.SubImage(image.Rect(16, 0, 32, 16)), 80)
	scan := bytes.Join([][]byte{scanLeft, {0xff, 0xd0}, scanRight}, nil)
	got := receiveJPEG(t, jpegPacket(1, 0, true, 0, 65, 80, 32, 16, []byte{0, 1, 0xff, 0xff}, scan))
	if len(got) != 1 {
		t.Fatalf("%d pictures", len(got))
	}
	both, err := jpeg.Decode(bytes.NewReader(got[0].Data[0]))
	if err != nil {
		t.Fatal(err)
	}
	want, err := jpeg.Decode(bytes.NewReader(left))
	if err != nil {
		t.Fatal(err)
	}
	for x := range 16 {
		if both.At(x, 7) != want.At(x, 7) {
			t.Fatalf("at %d: %v, want %v", x, both.At(x, 7), want.At(x, 7))
		}
	}
}

func TestJPEG422(t *testing.T) {
	_, scan, _ := encoded(t, drawn(16, 16), 80)
	got := receiveJPEG(t, jpegPacket(1, 0, true, 0, 0, 80, 16, 16, scan))
	header := []byte{0xff, 0xc0, 0, 17, 8, 0, 16, 0, 16, 3, 1, 0x21, 0, 2, 0x11, 1, 3, 0x11, 1}
	if len(got) != 1 || !bytes.Contains(got[0].Data[0], header) {
		t.Errorf("%d pictures, or no frame header for 4:2:2", len(got))
	}
}

// TestJPEGLeftOut: what cannot be shown is left out, and the next picture says that something is missing.
func TestJPEGLeftOut(t *testing.T) {
	whole, scan, _ := encoded(t, drawn(64, 48), 80)
	for _, tt := range []struct {
		name    string
		packets []*rtp.Packet
	}{
		{"29 Q 0", []*rtp.Packet{jpegPacket(1, 0, true, 0, 1, 0, 64, 48, scan)}},
		{"29 Q 100", []*rtp.Packet{jpegPacket(1, 0, true, 0, 1, 100, 64, 48, scan)}},
		{"29 size 0", []*rtp.Packet{jpegPacket(1, 0, true, 0, 1, 80, 0, 48, scan)}},
		{"29 type 2", []*rtp.Packet{jpegPacket(1, 0, true, 0, 2, 80, 64, 48, scan)}},
		{"29 type 66", []*rtp.Packet{jpegPacket(1, 0, true, 0, 66, 80, 64, 48, []byte{0, 1, 0xff, 0xff}, scan)}},
		{"type 128", []*rtp.Packet{jpegPacket(1, 0, true, 0, 128, 80, 64, 48, scan)}},
		{"tables that were never sent", []*rtp.Packet{jpegPacket(1, 0, true, 0, 1, 130, 64, 48, []byte{0, 0, 0, 0}, scan)}},
		{"tables beyond the packet", []*rtp.Packet{
			jpegPacket(1, 0, true, 0, 1, 130, 64, 48, []byte{0, 0, 0xff, 0xff}, scan),
		}},
		{"tables too small", []*rtp.Packet{jpegPacket(1, 0, true, 0, 1, 130, 64, 48, []byte{0, 0, 0, 3, 1, 2, 3}, scan)}},
		{"the beginning is lost", []*rtp.Packet{jpegPacket(1, 0, true, 10, 1, 80, 64, 48, scan[10:])}},
		{"the middle is lost", []*rtp.Packet{
			jpegPacket(0, 0, false, 0, 1, 80, 64, 48, scan[:10]), jpegPacket(1, 0, true, 20, 1, 80, 64, 48, scan[20:]),
		}},
		{"a packet too short", []*rtp.Packet{{Header: rtp.Header{SequenceNumber: 1}, Payload: []byte{0, 0, 0}}}},
		{"no restart header", []*rtp.Packet{jpegPacket(1, 0, true, 0, 64, 80, 64, 48)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := receiveJPEG(t, append(tt.packets, jpegPacket(2, 1, true, 0, 1, 80, 64, 48, scan))...)
			if len(got) != 1 || !got[0].Missing {
				t.Fatalf("got %d pictures", len(got))
			}
			same(t, got[0].Data[0], whole)
		})
	}
}

func TestJPEGWithoutMarkers(t *testing.T) {
	whole, scan, _ := encoded(t, drawn(64, 48), 80)
	got := receiveJPEG(t, jpegPacket(1, 0, false, 0, 1, 80, 64, 48, scan), jpegPacket(2, 1, false, 0, 1, 80, 64, 48, scan))
	if len(got) != 1 || got[0].Missing {
		t.Fatalf("%d pictures", len(got))
	}
	same(t, got[0].Data[0], whole)
}

// TestJPEGWhole: some cameras send a JPEG with all its headers.
func TestJPEGWhole(t *testing.T) {
	whole, _, _ := encoded(t, drawn(64, 48), 80)
	got := receiveJPEG(t, jpegPacket(1, 0, true, 0, 1, 80, 64, 48, whole))
	if len(got) != 1 || !bytes.Equal(got[0].Data[0], whole) {
		t.Errorf("got %d pictures, %s", len(got), hex.EncodeToString(got[0].Data[0][:20]))
	}
}
