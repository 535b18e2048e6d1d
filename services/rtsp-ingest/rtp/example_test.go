package rtp_test

import (
	"fmt"
	"time"

	pion "github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtp"
)

// A picture in two packets. The second says that it is the last.
func Example() {
	a, err := rtp.New(rtp.Config{Track: feed.Track{MediaType: media.H264}, PayloadType: 96, ClockRate: 90_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	to := feed.Receiver{Picture: func(p feed.Picture) { fmt.Printf("%v: %x\n", p.Time, p.Data) }}
	for n, payload := range [][]byte{{0x7c, 0x85, 0x80, 0xaa}, {0x7c, 0x45, 0xbb}} {
		header := pion.Header{PayloadType: 96, SequenceNumber: uint16(n), Timestamp: 45_000, Marker: n == 1}
		a.Push(&pion.Packet{Header: header, Payload: payload}, time.Now(), to)
	}
	// Output: 500ms: [6580aabb]
}
