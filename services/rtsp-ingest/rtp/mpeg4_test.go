package rtp

import (
	"bytes"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

var part2 = configOf(feed.MPEG4)

// In these rows, 000001b6 begins a picture, and 000001b0 is of the configuration.
var mpeg4Table = []example{
	{"a picture in one packet", part2, []in{
		{1, 0, "000001b6 1020", true, 0, 0, 0}, {2, 3600, "000001b6 5020", true, 40, 0, 0},
	}, []string{"0@0: 000001b61020", "3600@40: 000001b65020"}},
	{"in three, with its configuration", part2, []in{
		{1, 0, "000001b0 01", false, 0, 0, 0}, {2, 0, "000001b6 10", false, 1, 0, 0}, {3, 0, "20", true, 2, 0, 0},
	}, []string{"0@0: 000001b001000001b61020"}},
	{"19 no marker", part2, []in{
		{1, 0, "000001b6 10", false, 0, 0, 0}, {2, 0, "20", false, 1, 0, 0}, {3, 3600, "000001b6 50", false, 40, 0, 0},
		{4, 7200, "000001b6 51", false, 80, 0, 0},
	}, []string{"0@0: 000001b61020", "3600@40: 000001b650"}},
	{"19 a marker on each packet", part2, []in{
		{1, 0, "000001b6 10", true, 0, 0, 0}, {2, 0, "20", true, 1, 0, 0}, {3, 3600, "000001b6 50", true, 40, 0, 0},
		{4, 3600, "60", true, 41, 0, 0}, {5, 7200, "000001b6 51", true, 80, 0, 0},
	}, []string{"0@0: 000001b610", "0@1 damaged: 20", "3600@40: 000001b65060"}},
	{"a configuration of its own", part2, []in{
		{1, 0, "000001b0 01", true, 0, 0, 0}, {2, 0, "000001b6 10", true, 1, 0, 0},
	}, []string{"0@0: 000001b001", "0@1: 000001b610"}},
	{"20 the middle is lost", part2, []in{
		{1, 0, "000001b6 10", false, 0, 0, 0}, {3, 0, "20", true, 2, 0, 0}, {4, 3600, "000001b6 50", true, 40, 0, 0},
	}, []string{"0@0 damaged: 000001b61020", "3600@40 missing: 000001b650"}},
	{"20 the end is lost", part2, []in{
		{1, 0, "000001b6 10", false, 0, 0, 0}, {3, 3600, "000001b6 50", true, 40, 0, 0},
	}, []string{"0@0 damaged: 000001b610", "3600@40 missing: 000001b650"}},
	{"20 the beginning is lost", part2, []in{
		{1, 0, "000001b6 10", true, 0, 0, 0}, {3, 3600, "60", true, 40, 0, 0}, {4, 7200, "000001b6 51", true, 80, 0, 0},
	}, []string{"0@0: 000001b610", "3600@40 damaged missing: 60", "7200@80: 000001b651"}},
	{"20 whole pictures are lost", part2, []in{
		{1, 0, "000001b6 10", true, 0, 0, 0}, {4, 10800, "000001b6 50", true, 120, 0, 0},
	}, []string{"0@0: 000001b610", "10800@120 missing: 000001b650"}},
	{"21 another SSRC", part2, []in{
		{1, 0, "000001b6 10", false, 0, 0, 0}, {900, 90, "000001b6 11", true, 40, 7, 0},
	}, []string{"90@40 missing restart: 000001b611"}},
	{"empty packets, and those of another type", part2, []in{
		{1, 0, "000001b6 10", false, 0, 0, 0}, {2, 0, "", false, 0, 0, 0}, {3, 0, "99", true, 0, 0, 9},
		{4, 0, "20", true, 1, 0, 0},
	}, []string{"0@0: 000001b61020"}},
}

func TestMPEG4(t *testing.T) {
	for _, e := range mpeg4Table {
		e.test(t)
	}
}

func TestMPEG4HasABound(t *testing.T) {
	a, err := New(part2)
	if err != nil {
		t.Fatal(err)
	}
	largest := 0
	to := feed.Receiver{Picture: func(p feed.Picture) {
		largest = max(largest, len(p.Data[0]))
		if !p.Damaged {
			t.Error("too large, and not damaged")
		}
	}}
	p := in{1, 0, "000001b6", false, 0, 0, 0}.packet(t)
	p.Payload = append(p.Payload, make([]byte, 60_000)...)
	for range 2 * maxPicture / 60_000 {
		next := *p
		a.Push(&next, start, to)
		p.SequenceNumber++
	}
	p.Timestamp, p.Payload = 3600, []byte{0, 0, 1, 0xb6}
	a.Push(p, start, to)
	if largest > maxPicture {
		t.Errorf("%d bytes", largest)
	}
}

func FuzzMPEG4(f *testing.F) {
	for _, e := range mpeg4Table {
		f.Add(streamOf(f, e.in), e.config.Reorder)
	}
	f.Fuzz(func(t *testing.T, stream []byte, reorder bool) {
		c := part2
		c.Reorder = reorder
		play(t, c, stream, func(p feed.Picture) {
			if len(p.Data) != 1 || !p.Damaged && !bytes.HasPrefix(p.Data[0], startCode) {
				t.Fatalf("no picture: %x", p.Data)
			}
		})
	})
}
