package insta360

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const interval = 40 * time.Millisecond

// cuts are ways to put a picture in packets.
var cuts = map[string]func([]byte) [][]byte{
	"whole":                func(b []byte) [][]byte { return [][]byte{b} },
	"parameter sets apart": parametersApart,
	"NAL by NAL":           nalByNAL,
	"in pieces":            pieces(1000),
	"in small pieces":      pieces(7),
	"byte by byte":         pieces(1),
	"with zeros behind":    func(b []byte) [][]byte { return [][]byte{append(bytes.Clone(b), 0, 0, 0)} },
	"short start codes":    func(b []byte) [][]byte { return [][]byte{b[1:]} },
}

func pieces(size int) func([]byte) [][]byte {
	return func(b []byte) (all [][]byte) {
		for len(b) > 0 {
			n := min(size, len(b))
			all, b = append(all, b[:n]), b[n:]
		}
		return all
	}
}

func nalByNAL(b []byte) (all [][]byte) {
	for nal := range annexb.NALs(b) {
		all = append(all, annexb.Append(nil, nal))
	}
	return all
}

func parametersApart(b []byte) [][]byte {
	var sets, rest []byte
	for nal := range annexb.NALs(b) {
		if rest == nil && slices.Contains([]byte{0x67, 0x68, 0x40, 0x42, 0x44}, nal[0]) {
			sets = annexb.Append(sets, nal)
			continue
		}
		rest = annexb.Append(rest, nal)
	}
	if sets == nil {
		return [][]byte{rest}
	}
	return [][]byte{sets, rest}
}

func TestPicturesHoweverTheyAreCut(t *testing.T) {
	for _, name := range []string{"baseline.h264", "high.h264", "slices.h264", "bframes.h264", "plain.h265",
		"bframes.h265"} {
		clip := fakecam.Clip(name)
		for how, cut := range cuts {
			t.Run(name+"/"+how, func(t *testing.T) {
				var got []feed.Picture
				p := pictures{emit: func(one feed.Picture) { got = append(got, one) }}
				sent := min(len(clip.Units), 30)
				play(&p, clip, sent, cut)
				if late := sent - len(got); late < 0 || late > 1 {
					t.Errorf("%d pictures of %d", len(got), sent)
				}
				compare(t, got, clip, interval)
			})
		}
	}
}

// play sends pictures of a clip.
func play(p *pictures, clip *fakecam.Media, count int, cut func([]byte) [][]byte) {
	for i := range count {
		for _, part := range cut(annexBOf(clip.Units[i%len(clip.Units)])) {
			p.add(part, uint64(1000+40*i), time.Unix(0, 0).Add(time.Duration(i)*interval))
		}
	}
}

func annexBOf(u fakecam.Unit) (b []byte) {
	for _, nal := range u.Data {
		b = annexb.Append(b, nal)
	}
	return b
}

// A camera that sends each picture in one packet costs no delay, once that is known.
func TestAPictureIsCompleteWithItsPacket(t *testing.T) {
	for _, name := range []string{"baseline.h264", "slices.h264", "plain.h265"} {
		for _, how := range []string{"whole", "parameter sets apart"} {
			got := 0
			p := pictures{emit: func(feed.Picture) { got++ }}
			for i := range 10 {
				unit := fakecam.Clip(name).Units[i]
				for _, part := range cuts[how](annexBOf(unit)) {
					p.add(part, uint64(i), time.Now())
				}
				if late := i + 1 - got; i >= lessons && late != 0 || late > 1 {
					t.Errorf("%s, %s: %d pictures are late after %d", name, how, late, i+1)
				}
			}
		}
	}
}

// A camera that begins to cut pictures after it was taken for one that does not damages one, and says so.
func TestACameraThatChangesItsHabit(t *testing.T) {
	for how, cut := range map[string]func([]byte) [][]byte{"in pieces": pieces(500), "NAL by NAL": nalByNAL} {
		var got []feed.Picture
		p := pictures{emit: func(one feed.Picture) { got = append(got, one) }}
		clip := fakecam.Clip("slices.h264")
		play(&p, clip, 10, cuts["whole"])
		play(&p, clip, 10, cut)
		flagged := 0
		for _, one := range got[10:] {
			if one.Damaged || one.Missing {
				flagged++
			}
		}
		if len(got) < 19 || flagged == 0 || flagged > 2 {
			t.Errorf("%s: %d pictures, %d of them flagged after the change", how, len(got), flagged)
		}
		for i, one := range got[len(got)-5:] {
			if one.Damaged || one.Missing {
				t.Errorf("%s: picture %d from the end is still flagged", how, 5-i)
			}
		}
	}
}

func TestNothingComesBeforeParameterSets(t *testing.T) {
	clip := fakecam.Clip("baseline.h264")
	var got []feed.Picture
	p := pictures{emit: func(one feed.Picture) { got = append(got, one) }}
	for i := 1; i < 5; i++ { // without the key picture
		p.add(annexBOf(clip.Units[i]), uint64(i), time.Now())
	}
	p.add([]byte("no NAL unit at all"), 5, time.Now())
	if p.mediaType != "" || len(got) != 0 {
		t.Fatalf("%q, %d pictures", p.mediaType, len(got))
	}
	play(&p, clip, 5, cuts["whole"])
	compare(t, got, clip, interval)
	if len(got) < 4 || p.mediaType != media.H264 {
		t.Errorf("%d pictures of %q", len(got), p.mediaType)
	}
}

func TestAPictureHasABound(t *testing.T) {
	var got []feed.Picture
	p := pictures{emit: func(one feed.Picture) { got = append(got, one) }}
	clip := fakecam.Clip("baseline.h264")
	play(&p, clip, 1, cuts["whole"])
	for range 20 { // a NAL unit without an end
		p.add(bytes.Repeat([]byte{0xaa}, 1<<20), 1, time.Now())
		if len(p.open) > maxPicture {
			t.Fatalf("%d bytes are kept", len(p.open))
		}
	}
	play(&p, clip, 3, cuts["whole"])
	if len(got) != 3 || !got[0].Missing || got[1].Missing {
		t.Errorf("%d pictures afterwards, want 3 of which the first tells of the loss", len(got))
	}
}

func TestTimesOfAllSorts(t *testing.T) {
	for _, at := range []uint64{0, 1, 1795939200000, 1 << 63, 1<<64 - 1} {
		if d := duration(at); d < 0 {
			t.Errorf("%d became %v", at, d)
		}
	}
	if d := duration(5040); d != 5040*time.Millisecond {
		t.Errorf("5040 became %v", d)
	}
}

func FuzzPictures(f *testing.F) {
	for _, name := range []string{"slices.h264", "plain.h265"} {
		var whole []byte
		for _, u := range fakecam.Clip(name).Units[:3] {
			whole = append(whole, annexBOf(u)...)
		}
		f.Add(whole, uint16(1000))
		f.Add(whole[:200], uint16(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		total := 0
		p := pictures{emit: func(one feed.Picture) {
			if len(one.Data) == 0 || one.MediaType == "" {
				t.Fatalf("an empty picture: %+v", one)
			}
			for _, nal := range one.Data {
				if len(nal) == 0 || bytes.Contains(nal, startCode) {
					t.Fatalf("a NAL unit that is none: %x", nal)
				}
				total += len(nal)
			}
		}}
		for i, part := range pieces(int(size) + 1)(data) {
			p.add(bytes.Clone(part), uint64(i), time.Unix(0, 0))
		}
		if total > len(data) {
			t.Fatalf("%d bytes out of %d", total, len(data))
		}
	})
}
