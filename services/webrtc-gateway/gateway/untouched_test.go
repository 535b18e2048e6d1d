package gateway_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp/codecs"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

// h265Clip is one group of pictures as a camera sends them.
func h265Clip(t *testing.T) *fakecam.Clip {
	t.Helper()
	stream, err := os.ReadFile("../../../pkg/rtp/codecs/testdata/main.h265")
	if err != nil {
		t.Fatal(err)
	}
	clip := &fakecam.Clip{MediaType: h265, AsIs: true}
	var picture []byte
	coded := false
	for unit := range annexb.NALs(stream) {
		slice := unit[0]>>1 < 32
		if coded && (!slice || unit[2]&0x80 != 0) {
			clip.Pictures, picture, coded = append(clip.Pictures, picture), nil, false
		}
		picture, coded = annexb.Append(picture, unit), coded || slice
	}
	clip.Pictures = clip.Pictures[:len(clip.Pictures)/2] // the other half is another group
	return clip
}

// pictureOf is [stream.picture] for H.265; never nil.
func (s *stream) pictureOf(depacketizer *codecs.H265Depacketizer) (units [][]byte) {
	s.t.Helper()
	for {
		p := s.next()
		data, err := depacketizer.Unmarshal(p.Payload)
		if err != nil {
			s.t.Fatalf("not H.265: % x: %v", p.Payload[:min(len(p.Payload), 8)], err)
		}
		units = slices.AppendSeq(units, annexb.NALs(data))
		if p.Marker {
			return units
		}
	}
}

// TestWhatTheCameraSendsWins: a camera that compresses to H.265 has that untouched, as an alternative to the H.264 that
// its process makes of it. Players that take H.265 get what the camera sends, unless their decoder is not up to it and
// they take something else.
func TestWhatTheCameraSendsWins(t *testing.T) {
	clip := h265Clip(t)
	high := *clip // of level 6.2
	high.Pictures = nil
	for _, p := range clip.Pictures {
		high.Pictures = append(high.Pictures, raised(p, 186))
	}
	for _, tt := range []struct {
		name      string
		clip      *fakecam.Clip
		take      []string
		untouched bool
	}{
		{"both", clip, []string{h264, h265}, true},
		{"H.265 alone", clip, []string{h265}, true},
		{"H.264 alone", clip, []string{h264}, false},
		{"both, a stream above the level", &high, []string{h264, h265}, false},
		{"H.265 alone, a stream above the level", &high, []string{h265}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			cam := w.camera(fakecam.Config{Alternative: tt.clip})
			s := w.shown(tt.take...)
			if !tt.untouched {
				s.frames(5)
			} else {
				var depacketizer codecs.H265Depacketizer
				for i, want := range tt.clip.Pictures {
					if got := s.pictureOf(&depacketizer); !slices.EqualFunc(got, slices.Collect(annexb.NALs(want)), bytes.Equal) {
						t.Fatalf("picture %d is not the camera's", i)
					}
				}
			}
			w.eventually("only what is sent is held", func() bool {
				return cam.HoldersOf("video") == boolToInt(!tt.untouched) &&
					cam.HoldersOf("video-alternative") == boolToInt(tt.untouched)
			})
		})
	}
}

// TestWhatTheCameraSendsIsMended: a player who loses a picture of what the camera compresses has it asked for a key
// frame if it obeys.
func TestWhatTheCameraSendsIsMended(t *testing.T) {
	w := newWorld(t, nil)
	clip := h265Clip(t)
	clip.Obeys = true
	cam := w.camera(fakecam.Config{Alternative: clip})
	s := w.shown(h265)
	s.next()
	before := cam.KeyRequests()
	if err := s.peer.LosePicture(s.last.SSRC); err != nil {
		t.Fatal(err)
	}
	w.eventually("the camera is asked", func() bool { return cam.KeyRequests() > before })
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// raised is a picture with another level in its parameter set.
func raised(picture []byte, level byte) []byte {
	picture = slices.Clone(picture)
	for unit := range annexb.NALs(picture) {
		if unit[0]>>1 == 33 {
			at := bytes.Index(unit, []byte{3, 0, 30, 0xa0}) // general_level_idc and what follows
			unit[at+2] = level                              // units are slices of the picture
		}
	}
	return picture
}

// TestCameraThatOffersNothingUntouched: while it sends something else, the stream for H.265 names no media type, and
// nobody gets it.
func TestCameraThatOffersNothingUntouched(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{Alternative: &fakecam.Clip{AsIs: true}})
	s := w.shown(h264, h265)
	s.frames(5)
	if n := cam.HoldersOf("video-alternative"); n != 0 {
		t.Errorf("%d hold a stream that carries nothing", n)
	}
	if err := w.show(w.player(h265)); err == nil || !strings.Contains(err.Error(), "H264/90000") {
		t.Errorf("a player that takes H.265 alone: %v", err)
	}
}
