package fakecam_test

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// decode lets ffmpeg decode n pictures or blocks of a stream, and returns the streams that ffmpeg found.
func decode(t *testing.T, url, stream string, n int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	args = append(append([]string{"-hide_banner", "-nostats", "-xerror"}, args...),
		"-i", url, "-map", "0:"+stream, "-frames:"+stream, strconv.Itoa(n), "-f", "framecrc", "-")
	cmd := exec.CommandContext(ctx, "ffmpeg", args...)
	var found strings.Builder
	cmd.Stderr = &found
	out, err := cmd.Output()
	frames := 0
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			frames++
		}
	}
	if err != nil || frames < n {
		t.Fatalf("ffmpeg (see deps-test of the Makefile) got %d of %d: %v\n%s", frames, n, err, found.String())
	}
	return found.String()
}

// TestFFmpegDecodes is the judgement of another implementation on the clips, their packets and their descriptions.
func TestFFmpegDecodes(t *testing.T) {
	for _, test := range []struct {
		media  *fakecam.Media
		stream string
		want   string
	}{
		{fakecam.Clip("baseline.h264"), "v", "h264 (Constrained Baseline)"},
		{fakecam.Clip("high.h264"), "v", "h264 (High)"},
		{fakecam.Clip("bframes.h264"), "v", "h264 (High)"},
		{fakecam.Clip("slices.h264"), "v", "640x360"},
		{fakecam.Clip("small.h264"), "v", "320x240"},
		{fakecam.Clip("tenbit.h264"), "v", "h264 (High 10)"},
		{fakecam.Clip("interlaced.h264"), "v", "top first"},
		{fakecam.Clip("plain.h265"), "v", "hevc (Main)"},
		{fakecam.Clip("bframes.h265"), "v", "hevc (Main)"},
		{fakecam.Clip("plain.m4v"), "v", "mpeg4"},
		{fakecam.Clip("plain.mjpeg"), "v", "mjpeg"},
		{fakecam.Clip("restart.mjpeg"), "v", "mjpeg"},
		{fakecam.Clip("tone.aac"), "a", "aac (LC), 16000 Hz, mono"},
		{fakecam.Clip("tone.opus"), "a", "opus, 48000 Hz"},
		{fakecam.Tone(fakecam.PCMU, 8000), "a", "pcm_mulaw, 8000 Hz"},
		{fakecam.Tone(fakecam.PCMA, 8000), "a", "pcm_alaw, 8000 Hz"},
		{fakecam.Tone(fakecam.L16, 16000), "a", "pcm_s16be, 16000 Hz"},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			camera := fakecam.Start(t, fakecam.Config{Speed: 4, Tracks: []fakecam.Track{{Media: test.media}}})
			if found := decode(t, camera.URL(), test.stream, 60, "-rtsp_transport", "tcp"); !strings.Contains(found,
				test.want) {
				t.Errorf("not %s:\n%s", test.want, found)
			}
		})
	}
}

func TestFFmpegPullsRTMP(t *testing.T) {
	for clip, want := range map[string]string{"baseline.h264": "h264", "bframes.h264": "h264 (High)"} {
		t.Run(clip, func(t *testing.T) {
			camera := fakecam.StartRTMP(t, fakecam.RTMPConfig{Video: fakecam.Clip(clip), Sound: fakecam.Clip("tone.aac")})
			found := decode(t, camera.URL(), "v", 60)
			if !strings.Contains(found, want) || !strings.Contains(found, "aac (LC), 16000 Hz, mono") {
				t.Errorf("found %s", found)
			}
			if err := camera.Await(soon(t), fakecam.Disconnected, 1); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFFmpegPullsJPEG(t *testing.T) {
	camera := fakecam.StartJPEG(t, fakecam.JPEGConfig{FPS: 50})
	decode(t, camera.URL(), "v", 30, "-f", "mpjpeg")
}
