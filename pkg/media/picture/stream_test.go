package picture

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

const tick = 40 * time.Millisecond

func mediaTypeOf(file string) string {
	if strings.HasSuffix(file, ".h265") {
		return media.H265
	}
	return media.H264
}

// clip reads a clip as a camera sends it: a picture every 40 ms.
func clip(t testing.TB, file string) (pictures []Picture) {
	t.Helper()
	stream, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	c := codecOf(mediaTypeOf(file))
	coded := true
	for unit := range annexb.NALs(stream) {
		begins := !c.role(unit).isSlice() || firstSlice(mediaTypeOf(file), unit)
		if coded && begins {
			n := time.Duration(len(pictures))
			pictures = append(pictures, Picture{MediaType: mediaTypeOf(file), Time: n * tick, Arrival: start.Add(n * tick)})
			coded = false
		}
		p := &pictures[len(pictures)-1]
		p.Data = append(p.Data, unit)
		coded = coded || c.role(unit).isSlice()
	}
	return pictures
}

func firstSlice(mediaType string, unit []byte) bool {
	if mediaType == media.H265 {
		return unit[2]&0x80 != 0
	}
	return unit[1]&0x80 != 0
}

// without returns pictures without NAL units of some roles.
func without(pictures []Picture, roles ...role) (out []Picture) {
	for _, p := range pictures {
		c, all := codecOf(p.MediaType), p.Data
		p.Data = nil
		for _, unit := range all {
			if !slices.Contains(roles, c.role(unit)) {
				p.Data = append(p.Data, unit)
			}
		}
		out = append(out, p)
	}
	return out
}

var allSets = []role{videoSet, sequenceSet, pictureSet}

// setsOf returns the parameter sets of a clip, as they are announced.
func setsOf(pictures []Picture) (sets [][]byte) {
	c := codecOf(pictures[0].MediaType)
	for _, unit := range pictures[0].Data {
		if r := c.role(unit); r == videoSet || r == sequenceSet || r == pictureSet {
			sets = append(sets, unit)
		}
	}
	return sets
}

// show gives pictures to a stream and returns its frames; nil where a picture gave none.
func show(s *Stream, pictures []Picture) (frames []*Frame) {
	for _, p := range pictures {
		f, ok := s.Picture(p, p.Arrival)
		if !ok {
			frames = append(frames, nil)
			continue
		}
		frames = append(frames, &f)
	}
	return frames
}

// pattern shows frames as letters: K key frame, P another, - none.
func pattern(frames []*Frame) string {
	var out strings.Builder
	for _, f := range frames {
		switch {
		case f == nil:
			out.WriteByte('-')
		case f.Key:
			out.WriteByte('K')
		default:
			out.WriteByte('P')
		}
	}
	return out.String()
}

func wantPattern(t *testing.T, frames []*Frame, want string) {
	t.Helper()
	if got := pattern(frames); got != want {
		t.Fatalf("frames %s, want %s", got, want)
	}
}

// newStream returns a Stream for pictures that were announced like this.
func newStream(mediaType string, sets ...[]byte) *Stream {
	return New(mediaType, sets)
}

// TestClips: size, profile and passage of what cameras send (rows 15 and 28).
func TestClips(t *testing.T) {
	for _, tt := range []struct {
		file, pattern, profile string
		width, height          int32
		why                    string // "" if it passes
	}{
		{"baseline.h264", "KPPPPPKPPPPP", "Constrained Baseline 1.0", 96, 66, ""},
		{"high.h264", "KPPPPPKPPPPP", "High 1.0", 96, 66, ""},
		{"high-128x96.h264", "KPPPPPKPPPPP", "High 1.0", 128, 96, ""},
		{"b-frames.h264", "KPPPPPPPPPPP", "Main 1.0", 96, 66, "B-frames"},
		{"interlaced.h264", "KPPP", "High 2.1", 96, 64, "interlaced"},
		{"10-bits.h264", "KP", "High 10 1.0", 96, 66, "10 bits"},
		{"422.h264", "KP", "High 4:2:2 1.0", 96, 66, "4:2:2"},
		{"plain.h265", "KPPPPPKPPPPP", "Main 1.0", 96, 66, ""},
		{"10-bits.h265", "KP", "Main 10 1.0", 96, 66, "10 bits"},
		{"open.h265", "KPPPKPPPPPPP", "Main 1.0", 96, 66, "B-frames"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			s := newStream(mediaTypeOf(tt.file))
			frames := show(s, clip(t, tt.file))
			wantPattern(t, frames, tt.pattern)
			state := s.State()
			if state.Profile != tt.profile {
				t.Errorf("profile %q, want %q", state.Profile, tt.profile)
			}
			for i, f := range frames {
				width, height := f.Format.GetWidthPx(), f.Format.GetHeightPx()
				if err := media.Validate(f.Format); err != nil || width != tt.width || height != tt.height {
					t.Fatalf("frame %d: %v, %v; want %dx%d", i, f.Format, err, tt.width, tt.height)
				}
				if f.Format.GetFrameRateHz() != 25 {
					t.Errorf("frame %d: %v pictures per second", i, f.Format.GetFrameRateHz())
				}
				if wantRecode := tt.why != ""; f.Recode != wantRecode {
					t.Errorf("frame %d: recode is %v", i, f.Recode)
				}
			}
			if p := state.Passage; p.Passes != (tt.why == "") || !strings.Contains(p.Why, tt.why) {
				t.Errorf("passage %+v, want %q", p, tt.why)
			}
		})
	}
}

// TestParameterSets: wherever they come from, every key frame begins with them (row 15).
func TestParameterSets(t *testing.T) {
	for _, file := range []string{"high.h264", "plain.h265"} {
		pictures := clip(t, file)
		announced := setsOf(pictures)
		c := codecOf(mediaTypeOf(file))
		broken := append([]byte(nil), announced[len(announced)-2][:4]...)
		var joined []byte
		for _, unit := range announced {
			joined = annexb.Append(joined, unit)
		}
		once := slices.Concat(pictures[:1], without(pictures[1:], allSets...))
		alone := Picture{MediaType: mediaTypeOf(file), Data: announced}
		for _, tt := range []struct {
			name      string
			announced [][]byte
			pictures  []Picture
			pattern   string
		}{
			{"in the stream", nil, pictures, "KPPPPPKPPPPP"},
			{"in the stream once", nil, once, "KPPPPPKPPPPP"},
			{"announced", announced, without(pictures, allSets...), "KPPPPPKPPPPP"},
			{"announced with start codes", [][]byte{joined}, without(pictures, allSets...), "KPPPPPKPPPPP"},
			{"never", nil, without(pictures, allSets...), "------------"},
			{"one never", announced[:len(announced)-1], without(pictures, allSets...), "------------"},
			{"announced and broken", [][]byte{broken}, pictures, "KPPPPPKPPPPP"},
			{"in a picture of their own", nil, append([]Picture{alone}, without(pictures, allSets...)...), "-KPPPPPKPPPPP"},
			{"from the middle", nil, pictures[3:], "---KPPPPP"},
		} {
			t.Run(file+" "+tt.name, func(t *testing.T) {
				s := newStream(mediaTypeOf(file), tt.announced...)
				frames := show(s, tt.pictures)
				wantPattern(t, frames, tt.pattern)
				if waits := s.State().Waits != ""; waits != !strings.Contains(tt.pattern, "K") {
					t.Errorf("it waits: %q", s.State().Waits)
				}
				for i, f := range frames {
					if f != nil {
						checkFront(t, c, i, f, announced)
					}
				}
			})
		}
	}
}

// checkFront checks that a key frame begins with all sets and has none elsewhere, and that others have none.
func checkFront(t *testing.T, c codec, i int, f *Frame, sets [][]byte) {
	t.Helper()
	if !f.Key {
		sets = nil
	}
	n, coded := 0, 0
	for unit := range annexb.NALs(f.Data) {
		r := c.role(unit)
		switch {
		case n < len(sets):
			if !bytes.Equal(unit, sets[n]) {
				t.Fatalf("frame %d: unit %d is %x, want %x", i, n, unit, sets[n])
			}
		case r == videoSet, r == sequenceSet, r == pictureSet, r == unused:
			t.Fatalf("frame %d: unit %d is %x", i, n, unit)
		}
		if n++; r.isSlice() {
			coded++
		}
	}
	if coded == 0 || f.Lost != 0 {
		t.Fatalf("frame %d: %d slices, %d lost", i, coded, f.Lost)
	}
}

// TestWrongSize: the size that was announced is not that of the stream (row 15).
func TestWrongSize(t *testing.T) {
	pictures := clip(t, "high.h264")
	s := newStream(media.H264, setsOf(clip(t, "high-128x96.h264"))...)
	if f := show(s, pictures)[0]; f == nil || f.Format.GetWidthPx() != 96 || f.Format.GetHeightPx() != 66 {
		t.Errorf("got %v", f)
	}
}

// TestSizeChanges: two sizes in turn (row 16). The format changes with key frames, and is the same object
// between changes.
func TestSizeChanges(t *testing.T) {
	small, large := clip(t, "high.h264"), clip(t, "high-128x96.h264")
	s := newStream(media.H264)
	var pictures []Picture
	for range 3 {
		pictures = append(append(pictures, small...), large...)
	}
	frames := show(s, pictures)
	wantPattern(t, frames, strings.Repeat("KPPPPP", 12))
	for i, f := range frames {
		want := int32(96)
		if i/12%2 == 1 {
			want = 128
		}
		if f.Format.GetWidthPx() != want {
			t.Fatalf("frame %d is %d wide, want %d", i, f.Format.GetWidthPx(), want)
		}
		if i > 0 && i%12 != 0 && f.Format != frames[i-1].Format {
			t.Errorf("frame %d has a new format", i)
		}
	}
}

// TestSetsBetweenKeyFrames: a new size counts from the next key frame, and a picture parameter set that changes
// is passed on at once.
func TestSetsBetweenKeyFrames(t *testing.T) {
	pictures, other := clip(t, "high.h264"), setsOf(clip(t, "high-128x96.h264"))
	pps := append(bytes.Clone(setsOf(pictures)[1]), 0x80)
	pictures[2].Data = append([][]byte{other[0], pps}, pictures[2].Data...)
	pictures[3].Data = append([][]byte{pps}, pictures[3].Data...)
	frames := show(newStream(media.H264), pictures)
	wantPattern(t, frames, "KPPPPPKPPPPP")
	for i, f := range frames {
		if f.Format.GetWidthPx() != 96 {
			t.Errorf("frame %d is %d wide", i, f.Format.GetWidthPx())
		}
	}
	if sps, got := annexb.ParameterSets(frames[2].Data); sps != nil || !bytes.Equal(got, pps) {
		t.Errorf("frame 2 has %x and %x, want only %x", sps, got, pps)
	}
	if _, got := annexb.ParameterSets(frames[3].Data); got != nil {
		t.Errorf("frame 3 has %x again", got)
	}
}

// TestLosses: nothing that was damaged comes out, nor what depends on it; the next frame counts what was left out.
func TestLosses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		spoil   func([]Picture)
		pattern string
		lost    map[int]int
	}{
		{"damaged", func(p []Picture) { p[2].Damaged = true }, "KP----KPPPPP", map[int]int{6: 4}},
		{"missing before", func(p []Picture) { p[2].Missing = true }, "KP----KPPPPP", map[int]int{6: 5}},
		{"missing before a key frame", func(p []Picture) { p[6].Missing = true }, "KPPPPPKPPPPP", map[int]int{6: 1}},
		{"a damaged key frame", func(p []Picture) { p[6].Damaged, p[6].Missing = true, true }, "KPPPPP------", nil},
		{"the first key frame", func(p []Picture) { p[0].Damaged = true }, "------KPPPPP", nil},
		{"restart", func(p []Picture) { p[3].Restart = true }, "KPP---KPPPPP", map[int]int{6: 3}},
		{"restart with a key frame", func(p []Picture) { p[6].Restart = true }, "KPPPPPKPPPPP", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pictures := clip(t, "high.h264")
			tt.spoil(pictures)
			frames := show(newStream(media.H264), pictures)
			wantPattern(t, frames, tt.pattern)
			for i, f := range frames {
				if f != nil && f.Lost != tt.lost[i] {
					t.Errorf("frame %d: %d lost, want %d", i, f.Lost, tt.lost[i])
				}
			}
		})
	}
}

// TestOpenGroups: leading pictures of H.265 are left out where decoding begins, and only there.
func TestOpenGroups(t *testing.T) {
	pictures := clip(t, "open.h265")
	c := h265Codec{}
	at, led := 0, 0
	for i, p := range pictures {
		for _, unit := range p.Data {
			switch c.role(unit) {
			case openKey:
				at = i
			case leading:
				led++
			}
		}
	}
	if at == 0 || led == 0 {
		t.Fatal("the clip has no open group")
	}
	if got := pattern(show(newStream(media.H265), pictures)); strings.Contains(got, "-") {
		t.Errorf("from the beginning: %s", got)
	}
	got := pattern(show(newStream(media.H265), pictures[at:]))
	if !strings.HasPrefix(got, "K-") || strings.Count(got, "-") > led {
		t.Errorf("from the open group: %s", got)
	}
}

// withoutVUI takes what cheap cameras do not send off a sequence parameter set.
func withoutVUI(t *testing.T, unit []byte) []byte {
	t.Helper()
	var want h264.SPS
	if err := want.Unmarshal(unit); err != nil {
		t.Fatal(err)
	}
	raw := h264.EmulationPreventionRemove(unit)
	for bit := len(raw)*8 - 9; bit > 32; bit-- {
		short := bytes.Clone(raw[:bit/8+2])
		at := func(i int) (*byte, byte) { return &short[i/8], 0x80 >> (i % 8) }
		for i := bit; i < len(short)*8; i++ {
			b, mask := at(i)
			*b &^= mask
		}
		b, mask := at(bit + 1) // the stop bit
		*b |= mask
		var got h264.SPS
		if got.Unmarshal(short) == nil && got.VUI == nil && got.Width() == want.Width() && got.Height() == want.Height() &&
			(got.FrameCropping == nil) == (want.FrameCropping == nil) {
			return bytes.TrimRight(short, "\x00")
		}
	}
	t.Fatal("no VUI found")
	return nil
}

// TestLateReordering: parameter sets that do not tell. The first picture that goes back says so, and all after
// it (row 28).
func TestLateReordering(t *testing.T) {
	replace := func(pictures []Picture) []Picture {
		sets := setsOf(pictures)
		for i := range pictures {
			for j, unit := range pictures[i].Data {
				if bytes.Equal(unit, sets[0]) {
					pictures[i].Data[j] = withoutVUI(t, unit)
				}
			}
		}
		return pictures
	}
	for file, want := range map[string]string{"b-frames.h264": "..xxxxxxxxxx", "high.h264": "............"} {
		s := newStream(media.H264)
		got := ""
		pictures := replace(clip(t, file))
		for i := range pictures { // a clock that stumbles proves nothing where there is a count
			pictures[i].Time = time.Duration(i%3) * tick
		}
		for i, p := range pictures {
			f, ok := s.Picture(p, start)
			if !ok {
				t.Fatalf("%s: no frame %d", file, i)
			}
			if f.Recode != !s.State().Passage.Passes {
				t.Errorf("%s: frame %d and state differ", file, i)
			}
			got += map[bool]string{true: "x", false: "."}[f.Recode]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

// TestOtherCodec: a camera that changes its codec does not end the stream.
func TestOtherCodec(t *testing.T) {
	s := newStream(media.H264)
	last := []Picture{{MediaType: "video/VP9"}}
	frames := show(s, slices.Concat(clip(t, "high.h264")[:2], clip(t, "plain.h265")[:2], last))
	wantPattern(t, frames, "KPKP-")
	if got := frames[2].Format.GetMediaType(); got != media.H265 || !strings.Contains(s.State().Waits, "video/VP9") {
		t.Errorf("got %s; waits: %s", got, s.State().Waits)
	}
}
