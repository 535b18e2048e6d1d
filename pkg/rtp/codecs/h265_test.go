package codecs

import (
	"bytes"
	"os"
	"slices"
	"testing"

	rtpcodecs "github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// h265Frames are 24 pictures by x265 of two slices each, with a key frame every 12. They were made by
//
//	ffmpeg -f lavfi -i testsrc2=size=192x128:rate=15 -frames:v 24 -pix_fmt yuv420p -c:v libx265 -x265-params
//	keyint=12:min-keyint=12:bframes=0:scenecut=0:info=0:repeat-headers=1:slices=2 -f hevc main.h265
func h265Frames(t testing.TB) (frames [][]byte) {
	t.Helper()
	stream, err := os.ReadFile("testdata/main.h265")
	if err != nil {
		t.Fatal(err)
	}
	var frame []byte
	coded := false // frame has a slice
	for unit := range annexb.NALs(stream) {
		isSlice := h265Type(unit) < h265VPS
		if first := !isSlice || unit[2]&0x80 != 0; coded && first {
			frames = append(frames, frame)
			frame, coded = nil, false
		}
		frame, coded = annexb.Append(frame, unit), coded || isSlice
	}
	return append(frames, frame)
}

// TestH265Frames: what the packets carry is what the frame was, parameter sets, slices in one packet and slices in
// many.
func TestH265Frames(t *testing.T) {
	frames := h265Frames(t)
	payloader := h265.NewPayloader()
	kinds := make(map[int]int) // packets by type
	for i, data := range frames {
		if key := h265.IsKey(&mediav1.VideoFrame{Data: data}); key != (i%12 == 0) || !h265.Usable(data) {
			t.Errorf("frame %d: key frame %v", i, key)
		}
		var whole []byte
		var depacketizer rtpcodecs.H265Depacketizer
		for _, p := range payloader.Payload(1200, data) {
			if len(p) > 1200 {
				t.Errorf("frame %d: a payload of %d bytes", i, len(p))
			}
			kinds[h265Type(p)]++
			part, err := depacketizer.Unmarshal(p)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole, part...)
		}
		if !slices.EqualFunc(units(whole), units(data), bytes.Equal) {
			t.Errorf("frame %d is not the same after its way", i)
		}
	}
	if len(frames) != 24 || kinds[48] == 0 || kinds[49] == 0 || len(kinds) < 3 {
		t.Errorf("%d frames, and packets of the types %v: not all kinds were made", len(frames), kinds)
	}
}

func units(data []byte) [][]byte { return slices.Collect(annexb.NALs(data)) }

// without returns a frame without the units of a type.
func without(frame []byte, unitType int) (rest []byte) {
	for unit := range annexb.NALs(frame) {
		if h265Type(unit) != unitType {
			rest = annexb.Append(rest, unit)
		}
	}
	return rest
}

func TestH265KeyFrames(t *testing.T) {
	frames := h265Frames(t)
	retyped := func(unitType byte) []byte {
		key := slices.Clone(frames[0])
		for unit := range annexb.NALs(key) {
			if h265Type(unit) < h265VPS {
				unit[0] = unitType << 1 // units are slices of the frame
			}
		}
		return key
	}
	for name, tt := range map[string]struct {
		frame []byte
		want  bool
	}{
		"IDR":              {frames[0], true},
		"CRA":              {retyped(21), true},
		"BLA":              {retyped(16), true},
		"reserved":         {retyped(22), false},
		"no VPS":           {without(frames[0], h265VPS), false},
		"no SPS":           {without(frames[0], h265SPS), false},
		"no PPS":           {without(frames[0], h265PPS), false},
		"delta":            {frames[1], false},
		"nothing":          {nil, false},
		"only a header":    {[]byte{0, 0, 1, 0x26}, false},
		"no start code":    {[]byte{0x26, 1, 2}, false},
		"parameter sets":   {without(without(frames[0], 19), 20), false},
		"sets after slice": {append(slices.Clone(frames[1]), frames[0]...), false},
	} {
		if got := h265.IsKey(&mediav1.VideoFrame{Data: tt.frame, KeyFrame: !tt.want}); got != tt.want {
			t.Errorf("%s: key frame %v", name, got)
		}
	}
}

// head is a parameter set as far as it says what a decoder must be able to do.
func head(tierAndProfile byte, compatible byte, level byte) []byte {
	return []byte{0, 0, 0, 1, h265SPS << 1, 1, 1, tierAndProfile, compatible, 0, 0, 3, 0, 0xb0, 0, 0, 3, 0, 0, 3, 0, level,
		0xa0}
}

func TestWebCodecsNameOfH265(t *testing.T) {
	for name, tt := range map[string]struct {
		frame []byte
		want  string
	}{
		"Main":             {head(1, 0x60, 93), "hev1.1.6.L93.b0"},
		"Main 10, high":    {head(0x22, 0x20, 153), "hev1.2.4.H153.b0"},
		"a profile space":  {head(0x41, 0x60, 93), "hev1.A1.6.L93.b0"},
		"cut off":          {head(1, 0x60, 93)[:12], ""},
		"no parameter set": {[]byte{0, 0, 1, 0x26, 1, 2}, ""},
		"nothing":          {nil, ""},
	} {
		if got := h265.WebCodecs(tt.frame); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if got := h265.WebCodecs(h265Frames(t)[0]); got != "hev1.1.6.L30.90" {
		t.Errorf("the clip is %q", got)
	}
}

func TestChooseH265(t *testing.T) {
	const chrome = "level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST"
	const chrome10 = "level-id=180;profile-id=2;tier-flag=0;tx-mode=SRST"
	for _, tt := range []struct {
		name   string
		stream []byte // parameter set; nil: not known yet
		listed []string
		want   int // of the list; -1: none
	}{
		{"not known", nil, []string{chrome10, chrome}, 1},
		{"Main", head(1, 0x60, 120), []string{chrome10, chrome}, 1},
		{"Main, by a decoder of Main 10", head(1, 0x60, 120), []string{chrome10}, 0},
		{"Main that says Main 10", head(2, 0x60, 120), []string{chrome10, chrome}, 1},
		{"Main 10", head(2, 0x20, 120), []string{chrome, chrome10}, 1},
		{"Main 10, by a decoder of Main", head(2, 0x20, 120), []string{chrome}, -1},
		{"Main, by a decoder of still pictures", head(1, 0x60, 93), []string{"profile-id=3"}, -1},
		{"nothing said", head(1, 0x60, 93), []string{""}, 0},
		{"nothing said, level 4", head(1, 0x60, 120), []string{""}, -1},
		{"not known, nothing said", nil, []string{""}, 0},
		{"the level is too low", head(1, 0x60, 120), []string{"level-id=93", "level-id=120"}, 1},
		{"a level that it receives", head(1, 0x60, 120), []string{"level-id=93;max-recv-level-id=150"}, 0},
		{"the high tier", head(0x21, 0x60, 120), []string{chrome, "level-id=120;tier-flag=1"}, 1},
		{"several streams", head(1, 0x60, 93), []string{"tx-mode=MRST"}, -1},
		{"odd parameters", head(1, 0x60, 93), []string{"level-id=x", "profile-id=-1", "tier-flag=256", "profile-space=1"},
			-1},
	} {
		var listed []webrtc.RTPCodecParameters
		for i, line := range tt.listed {
			listed = append(listed, h265.Parameters(webrtc.PayloadType(96+i), 0, line))
		}
		profile, _ := h265.ProfileOf(tt.stream)
		got, ok := h265.Choose(listed, profile)
		if ok != (tt.want >= 0) || ok && int(got.PayloadType) != 96+tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.name, got.PayloadType, ok, 96+tt.want)
		}
	}
}
