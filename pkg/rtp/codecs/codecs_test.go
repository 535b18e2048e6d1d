package codecs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/pion/rtp"
	rtpcodecs "github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// vp8Frames are two seconds by libvpx, with a key frame every ten frames at least.
func vp8Frames(t testing.TB) (frames [][]byte) {
	t.Helper()
	file, err := os.Open("testdata/vp8.ivf")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r, _, err := ivfreader.NewWith(file)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
}

func TestTable(t *testing.T) {
	numbers := make(map[webrtc.PayloadType]string)
	for _, c := range table {
		if Of(c.MediaType) != c || !slices.Contains(All(c.Kind), c) || c.Demand == "" {
			t.Errorf("%s is not found, or demands nothing", c.MediaType)
		}
		if named, channels := Named(c.Name()); named != c || channels != c.Channels {
			t.Errorf("%s is not found by its own name", c.Name())
		}
		if other := numbers[c.number]; other != "" {
			t.Errorf("%s and %s have one number", c.MediaType, other)
		}
		numbers[c.number] = c.MediaType
		if c.Usable(nil) {
			t.Errorf("%s: nothing is a frame", c.MediaType)
		}
	}
	var m webrtc.MediaEngine
	if err := Register(&m); err != nil {
		t.Error(err)
	}
	if Of("video/AV1") != nil || len(All(webrtc.RTPCodecTypeVideo)) != 3 ||
		All(webrtc.RTPCodecTypeVideo)[0].MediaType != media.H264 {
		t.Error("the codecs of video are not those that are preferred, or there is one too many")
	}
	if got := Demands(webrtc.RTPCodecTypeVideo); got !=
		"H264/90000 with packetization-mode 1 or 0, or H265/90000, or VP8/90000" {
		t.Errorf("a section of video has to offer %s", got)
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]string{
		"H264/90000": "video/H264 0", "h264/90000": "video/H264 0", "VP8/90000": "video/VP8 0",
		"h265/90000":   "video/H265 0",
		"opus/48000/2": "audio/opus 2",
		"OPUS/48000":   "audio/opus 0", "opus/48000/1": "", "VP8/48000": "", "VP9/90000": "", "H264": "", "": "",
	} {
		got := ""
		if c, channels := Named(name); c != nil {
			got = fmt.Sprint(c.MediaType, " ", channels)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestVP8Frames(t *testing.T) {
	frames := vp8Frames(t)
	keys := 0
	payloader := vp8.NewPayloader()
	for i, data := range frames {
		if !vp8.Usable(data) {
			t.Fatalf("frame %d is not taken", i)
		}
		key := vp8.IsKey(&mediav1.VideoFrame{Data: data})
		if key {
			keys++
		}
		if i == 0 && !key {
			t.Error("the first frame is not a key frame")
		}
		var whole []byte
		for j, p := range payloader.Payload(1200, data) {
			var packet rtpcodecs.VP8Packet
			part, err := packet.Unmarshal(p)
			if err != nil || len(p) > 1200 || (packet.S == 1) != (j == 0) || packet.I != 0 {
				t.Fatalf("frame %d, packet %d: %+v, %v", i, j, packet, err)
			}
			whole = append(whole, part...)
		}
		if !bytes.Equal(whole, data) {
			t.Errorf("frame %d is not the same after its way", i)
		}
	}
	if keys < 3 || keys == len(frames) {
		t.Errorf("%d of %d are key frames", keys, len(frames))
	}
	if name := vp8.WebCodecs(frames[0]); name != "vp8" {
		t.Errorf("WebCodecs is told %q", name)
	}
}

// TestKeyFrameFlags: the device knows for codecs that cannot be asked cheaply; the bytes count for those that can.
func TestKeyFrameFlags(t *testing.T) {
	frames := vp8Frames(t)
	delta := frames[1]
	noStartCode := slices.Clone(frames[0])
	noStartCode[4] = 7
	for _, tt := range []struct {
		name   string
		codec  *Codec
		data   []byte
		says   bool
		usable bool
		key    bool
	}{
		{"VP8 key frame", vp8, frames[0], false, true, true},
		{"VP8 delta frame that is called a key frame", vp8, delta, true, true, false},
		{"VP8 without a start code", vp8, noStartCode, true, false, false},
		{"VP8 cut off", vp8, frames[0][:9], true, false, false},
		{"VP8 of two bytes", vp8, delta[:2], false, false, false},
		{"H.264", h264, []byte{0, 0, 1, 0x65}, true, true, true},
		{"H.264, no key frame", h264, []byte{0, 0, 1, 0x41}, false, true, false},
		{"Opus", opus, []byte{0x78, 1}, false, true, true},
		{"Opus, too long", opus, make([]byte, maxOpus+1), false, false, true},
	} {
		frame := &mediav1.VideoFrame{Data: tt.data, KeyFrame: tt.says}
		if usable, key := tt.codec.Usable(tt.data), tt.codec.IsKey(frame); usable != tt.usable || usable && key != tt.key {
			t.Errorf("%s: usable %v, key %v", tt.name, usable, key)
		}
	}
}

func TestWebCodecsNameOfH264(t *testing.T) {
	for name, tt := range map[string]struct {
		frame []byte
		want  string
	}{
		"constrained baseline": {[]byte{0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0x95, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80},
			"avc1.42e01f"},
		"high, short start codes": {[]byte{0, 0, 1, 0x27, 0x64, 0, 0x0a, 1, 2, 3, 0, 0, 1, 0x28, 1}, "avc1.64000a"},
		"no parameter sets":       {[]byte{0, 0, 1, 0x65, 1, 2}, ""},
		"a parameter set cut off": {[]byte{0, 0, 1, 0x67, 0x42}, ""},
		"nothing":                 {nil, ""},
	} {
		if got := h264.WebCodecs(tt.frame); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestChooseTakesTheNearest(t *testing.T) {
	list := func(fmtp ...string) (all []webrtc.RTPCodecParameters) {
		for i, line := range fmtp {
			all = append(all, h264.Parameters(webrtc.PayloadType(96+i), 0, line),
				vp8.Parameters(webrtc.PayloadType(110+i), 0, ""))
		}
		return all
	}
	for _, tt := range []struct {
		name   string
		codec  *Codec
		listed []webrtc.RTPCodecParameters
		stream Profile
		want   webrtc.PayloadType // 0: none
	}{
		{"mode 1 before mode 0", h264, list("packetization-mode=0", "packetization-mode=1"), "", 97},
		{"mode 2 cannot carry it", h264, list("packetization-mode=2"), "", 0},
		{"the profile of the stream", h264, list("packetization-mode=1;profile-level-id=42e01f",
			"Packetization-Mode=1; PROFILE-LEVEL-ID=64001F"),
			Profile([]byte{100, 0}), 97},
		{"the first VP8", vp8, list("", ""), "", 110},
		{"none", opus, list(""), "", 0},
	} {
		got, ok := tt.codec.Choose(tt.listed, tt.stream)
		if got.PayloadType != tt.want || ok != (tt.want != 0) {
			t.Errorf("%s: %d, %v, want %d", tt.name, got.PayloadType, ok, tt.want)
		}
	}
}

// FuzzFrame gives every codec bytes: nothing panics, and what is cut up fits packets.
func FuzzFrame(f *testing.F) {
	for _, frame := range vp8Frames(f)[:3] {
		f.Add(frame, "packetization-mode=1;profile-level-id=42e01f")
	}
	f.Add([]byte{0, 0, 1, 0x67, 0x42}, ";;=;packetization-mode")
	for _, frame := range h265Frames(f)[:3] {
		f.Add(frame, "level-id=180;profile-id=2;tier-flag=0;tx-mode=SRST")
	}
	f.Fuzz(func(t *testing.T, data []byte, fmtp string) {
		for _, c := range table {
			_ = c.IsKey(&mediav1.VideoFrame{Data: data})
			profile, _ := c.ProfileOf(data)
			_ = c.WebCodecs(data)
			_ = c.Wish(fmtp)
			_, _ = c.Choose([]webrtc.RTPCodecParameters{c.Parameters(96, 0, fmtp)}, profile)
			if !c.Usable(data) {
				continue
			}
			for _, p := range c.NewPayloader().Payload(1200, data) {
				if len(p) == 0 || len(p) > max(1200, c.MaxFrame) {
					t.Errorf("%s: a payload of %d bytes", c.MediaType, len(p))
				}
			}
		}
	})
}

var _ rtp.Payloader = whole{}
