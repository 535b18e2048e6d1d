package rtp

import (
	"testing"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// BenchmarkH264 assembles pictures of 20 packets, as of 1080p at 5 Mbit/s; a packet is an operation.
func BenchmarkH264(b *testing.B) {
	a, err := New(avc)
	if err != nil {
		b.Fatal(err)
	}
	fragments := [3][]byte{{0x7c, 0x81, 0x80}, {0x7c, 0x01}, {0x7c, 0x41}}
	for i := range fragments {
		for n := range 1398 {
			fragments[i] = append(fragments[i], byte(n)|1)
		}
	}
	pictures := 0
	to := feed.Receiver{Picture: func(feed.Picture) { pictures++ }}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		payload := fragments[1]
		switch n % 20 {
		case 0:
			payload = fragments[0]
		case 19:
			payload = fragments[2]
		}
		h := rtp.Header{SequenceNumber: uint16(n), Timestamp: uint32(n / 20 * 3600), Marker: n%20 == 19}
		a.Push(&rtp.Packet{Header: h, Payload: payload}, start, to)
		n++
	}
	if pictures != n/20 {
		b.Errorf("%d pictures of %d packets", pictures, n)
	}
}
