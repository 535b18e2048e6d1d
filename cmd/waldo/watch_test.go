package main

import (
	"strings"
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// TestWatchPicks the one stream that people want to read, and asks where there are none or several.
func TestWatchPicks(t *testing.T) {
	out := func(name, alternativeTo string) *devicev1.StreamInfo {
		return &devicev1.StreamInfo{Name: name, AlternativeTo: alternativeTo, MessageType: "of." + name,
			Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT}
	}
	in := &devicev1.StreamInfo{Name: "speaker", Direction: devicev1.StreamDirection_STREAM_DIRECTION_IN}
	camera := []*devicev1.StreamInfo{out("video", ""), out("video-vp8", "video"), out("video-jpeg", "video")}
	for name, tt := range map[string]struct {
		streams []*devicev1.StreamInfo
		stream  string
		want    string // with an error, what it says
	}{
		"a board":                 {[]*devicev1.StreamInfo{out("control", ""), out("messages", "")}, "", "messages"},
		"a sound card":            {[]*devicev1.StreamInfo{out("audio", ""), in, out("levels", "")}, "", "levels"},
		"a camera":                {camera, "", "choose one with --stream; there are: video, video-vp8, video-jpeg"},
		"a camera's JPEG":         {camera, "video-jpeg", "video-jpeg"},
		"a camera with a compass": {append(camera, out("heading", "")), "", "heading"},
		"none that is sent":       {[]*devicev1.StreamInfo{in}, "", "has no streams"},
		"one that is not sent": {[]*devicev1.StreamInfo{in, out("levels", "")}, "speaker",
			`no stream "speaker"; there are: levels`},
		"alternatives of one's own": {[]*devicev1.StreamInfo{out("depth", ""), out("depth-raw", "depth")}, "", "choose one"},
	} {
		got, messageType, err := (&watchCommand{Stream: tt.stream}).pick(bus.Address{Robot: "demo", Device: "it"}, tt.streams)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) || err == nil && messageType != "of."+got {
			t.Errorf("%s: %q of type %q, want %q", name, got, messageType, tt.want)
		}
	}
}
