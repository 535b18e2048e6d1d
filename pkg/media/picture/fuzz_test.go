package picture

import (
	"bytes"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// FuzzStream gives a stream the pictures of an Annex B stream. A unit that begins with fuzzMark ends each, and
// says what is particular to the next.
func FuzzStream(f *testing.F) {
	files := []string{
		"baseline.h264", "high.h264", "b-frames.h264", "interlaced.h264", "10-bits.h264", "422.h264",
		"plain.h265", "open.h265", "10-bits.h265",
	}
	for _, file := range files {
		var stream []byte
		for _, p := range clip(f, file) {
			for _, unit := range p.Data {
				stream = annexb.Append(stream, unit)
			}
			stream = annexb.Append(stream, []byte{fuzzMark, 1})
		}
		f.Add(stream, mediaTypeOf(file) == media.H265)
	}
	sets := clip(f, "baseline.h264")[0].Data
	for _, tt := range keylessTable {
		var stream []byte
		for _, unit := range [][]byte{sets[0], sets[1], tt.message, tt.fifth, {fuzzMark, 250}, tt.fifth, {fuzzMark, 1}} {
			stream = annexb.Append(stream, unit)
		}
		f.Add(stream, false)
	}
	f.Fuzz(func(t *testing.T, stream []byte, isH265 bool) {
		mediaType := media.H264
		if isH265 {
			mediaType = media.H265
		}
		s := newStream(mediaType)
		p := Picture{MediaType: mediaType}
		begun := false
		for unit := range annexb.NALs(stream) {
			if unit[0] != fuzzMark {
				p.Data = append(p.Data, unit)
				continue
			}
			begun = playOne(t, s, p, begun)
			flags := unit[len(unit)-1]
			p = Picture{
				MediaType: mediaType, Time: time.Duration(int8(flags)) * tick, Arrival: start.Add(time.Duration(flags) * tick),
				Damaged: flags&0xc0 == 0x40, Missing: flags&0x30 == 0x10, Restart: flags&0x0c == 4,
			}
		}
	})
}

// fuzzMark is a byte that begins no NAL unit.
const fuzzMark = 0xff

// playOne gives a stream a picture and checks the frame. It returns whether there was a frame by now.
func playOne(t *testing.T, s *Stream, p Picture, begun bool) bool {
	frame, ok := s.Picture(p, start)
	if !ok {
		return begun
	}
	if err := media.Validate(frame.Format); err != nil {
		t.Fatal(err)
	}
	begins := frame.Key && frame.Lost == 0
	if len(frame.Data) == 0 || frame.Lost < 0 || !begun && !begins || p.Damaged || p.Missing && !frame.Key {
		t.Fatalf("frame %+v of %+v", frame, p)
	}
	if passes := s.State().Passage.Passes; frame.Recode == passes && p.MediaType != media.JPEG {
		t.Fatal("frame and state differ")
	}
	return true
}

// FuzzSets parses sets and slices alone, so that their bits are reached at once.
func FuzzSets(f *testing.F) {
	files := []string{"high.h264", "b-frames.h264", "interlaced.h264", "plain.h265", "open.h265", "10-bits.h265"}
	for _, file := range files {
		for _, unit := range clip(f, file)[0].Data {
			f.Add(unit, mediaTypeOf(file) == media.H265)
		}
	}
	f.Fuzz(func(t *testing.T, unit []byte, isH265 bool) {
		var c codec = h264Codec{}
		if isH265 {
			c = h265Codec{}
		}
		if len(unit) == 0 {
			return
		}
		s := newSets(c)
		s.addChecked(unit)
		_, _ = c.videoID(unit)
		_, _, _ = c.pictureIDs(unit)
		_, _ = s.of(unit)
		for _, q := range s.sequences {
			if q.parsed.width < media.MinSize || q.parsed.width > media.MaxSize || q.parsed.rate < 0 {
				t.Fatalf("%+v", q.parsed)
			}
			if got := s.needed(q.parsed); len(got) == 0 || !bytes.Equal(got[len(got)-1], unit) {
				t.Fatal("the set is not needed")
			}
			passageOf(q.parsed, false)
			for _, slice := range [][]byte{unit, {0x41, 0x9a, 0x24, 0x6c}} {
				if n, bits, ok := c.order(slice, q.parsed); ok && (n < 0 || n >= 1<<bits) {
					t.Fatalf("count %d of %d bits", n, bits)
				}
			}
		}
	})
}

// TestH265AsOthers compares what is read here with what a whole parser reads.
func TestH265AsOthers(t *testing.T) {
	for _, file := range []string{"plain.h265", "open.h265", "10-bits.h265"} {
		for _, unit := range setsOf(clip(t, file)) {
			if h265Type(unit) != h265SPS {
				continue
			}
			var want h265.SPS
			if err := want.Unmarshal(unit); err != nil {
				t.Fatal(err)
			}
			got, err := h265Codec{}.sequence(unit)
			if err != nil {
				t.Fatal(err)
			}
			reorders := no
			if want.MaxNumReorderPics[len(want.MaxNumReorderPics)-1] > 0 {
				reorders = yes
			}
			if got.width != want.Width() || got.height != want.Height() || got.reorders != reorders ||
				got.depth != int(want.BitDepthLumaMinus8)+8 || got.chroma != int(want.ChromaFormatIdc) || got.id != int(want.ID) {
				t.Errorf("%s: got %+v", file, got)
			}
		}
	}
}
