package rtp

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// A stream of packets as bytes, for the fuzz targets: for each packet 2 bytes number, 4 timestamp, 1 marker and
// SSRC, 1 payload type, 2 arrival in ms, 2 length, and the payload.
const fuzzHeader = 12

func streamOf(t testing.TB, packets []in) (stream []byte) {
	for _, i := range packets {
		if i.data == expire {
			continue
		}
		stream = appendPacket(stream, i.packet(t), i.at)
	}
	return stream
}

func appendPacket(stream []byte, p *rtp.Packet, ms int) []byte {
	stream = binary.BigEndian.AppendUint16(stream, p.SequenceNumber)
	stream = binary.BigEndian.AppendUint32(stream, p.Timestamp)
	flags := byte(p.SSRC) << 1
	if p.Marker {
		flags |= 1
	}
	stream = append(stream, flags, p.PayloadType)
	stream = binary.BigEndian.AppendUint16(stream, uint16(ms))
	stream = binary.BigEndian.AppendUint16(stream, uint16(len(p.Payload)))
	return append(stream, p.Payload...)
}

// play gives a stream to an assembler whose timers work, and checks what every stream must keep.
func play(t *testing.T, c Config, stream []byte, check func(feed.Picture)) {
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	to := feed.Receiver{Picture: check, Sound: func(s feed.Sound) {
		if len(s.Data) == 0 || s.Lost < 0 {
			t.Errorf("%d bytes of sound, %d lost", len(s.Data), s.Lost)
		}
	}}
	now := start
	for len(stream) >= fuzzHeader {
		flags := stream[6]
		p := &rtp.Packet{Header: rtp.Header{
			SequenceNumber: binary.BigEndian.Uint16(stream), Timestamp: binary.BigEndian.Uint32(stream[2:]),
			Marker: flags&1 == 1, SSRC: uint32(flags >> 1), PayloadType: stream[7],
		}}
		arrival := start.Add(time.Duration(binary.BigEndian.Uint16(stream[8:])) * time.Millisecond)
		n := min(int(binary.BigEndian.Uint16(stream[10:])), len(stream)-fuzzHeader)
		p.Payload = bytes.Clone(stream[fuzzHeader : fuzzHeader+n])
		stream = stream[fuzzHeader+n:]
		if arrival.After(now) {
			now = arrival
		}
		if d := a.Deadline(); !d.IsZero() && !d.After(now) {
			a.Expire(now, to)
			if d := a.Deadline(); !d.IsZero() && !d.After(now) {
				t.Fatal("Expire changed nothing")
			}
		}
		a.Push(p, now, to)
		if n := a.order.Waiting(); n >= maxHeld {
			t.Fatalf("%d packets wait", n)
		}
	}
}

func fuzzUnits(f *testing.F, mediaType string, table []example) {
	formats := map[string]format{media.H264: h264{}, media.H265: h265{}} // a camera may send another than it announced
	for _, e := range table {
		f.Add(streamOf(f, e.in), e.config.Reorder)
	}
	f.Fuzz(func(t *testing.T, stream []byte, reorder bool) {
		c := configOf(mediaType)
		c.Reorder = reorder
		play(t, c, stream, func(p feed.Picture) {
			slices, size := 0, 0
			for _, unit := range p.Data {
				if len(unit) == 0 || bytes.Contains(unit, startCode) {
					t.Fatalf("NAL unit %x", unit)
				}
				if is, _ := formats[p.MediaType].slice(unit); is {
					slices++
				}
				size += len(unit)
			}
			if slices == 0 || size > maxPicture {
				t.Fatalf("%d slices, %d bytes", slices, size)
			}
		})
	})
}

func FuzzH264(f *testing.F) { fuzzUnits(f, media.H264, h264Table) }
func FuzzH265(f *testing.F) { fuzzUnits(f, media.H265, h265Table) }

func FuzzAAC(f *testing.F) {
	for _, e := range soundTable {
		f.Add(streamOf(f, e.in), e.config.Reorder)
	}
	f.Fuzz(func(t *testing.T, stream []byte, reorder bool) {
		for _, c := range []Config{aac, latm, latmInBand} {
			c.Reorder = reorder
			play(t, c, stream, nil)
		}
	})
}

func FuzzJPEG(f *testing.F) {
	_, scan, tables := encoded(f, drawn(64, 48), 80)
	f.Add(appendPacket(nil, jpegPacket(1, 0, true, 0, 1, 80, 64, 48, scan), 0))
	headers := []byte{0, 1, 0xff, 0xff, 0, 0, 0, 128}
	f.Add(appendPacket(nil, jpegPacket(1, 0, true, 0, 65, 255, 64, 48, headers, tables, scan), 0))
	f.Fuzz(func(t *testing.T, stream []byte) {
		play(t, configOf(media.JPEG), stream, func(p feed.Picture) {
			d := p.Data[0]
			if len(p.Data) != 1 || !bytes.HasPrefix(d, []byte{0xff, 0xd8}) || !bytes.HasSuffix(d, []byte{0xff, 0xd9}) {
				t.Fatalf("no JPEG: %x", p.Data)
			}
		})
	})
}
