package recordingtest

import (
	"bytes"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/write"
)

// Encode returns what ffmpeg makes with some arguments, on its standard output. Tests need ffmpeg, as make deps-test
// installs it.
func Encode(t testing.TB, arguments ...string) []byte {
	t.Helper()
	c := exec.Command("ffmpeg", append([]string{"-hide_banner", "-loglevel", "error"}, arguments...)...)
	var problem bytes.Buffer
	c.Stderr = &problem
	out, err := c.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, problem.String())
	}
	return out
}

// Clip returns pictures of H.264: so many seconds of a test picture of a size (WxH) at 30 a second, a key frame every
// keys.
func Clip(t testing.TB, size, seconds, keys string, options ...string) [][]byte {
	t.Helper()
	arguments := []string{"-f", "lavfi", "-i", "testsrc=size=" + size + ":rate=30", "-t", seconds,
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", keys, "-bf", "0"}
	stream := Encode(t, append(append(arguments, options...), "-f", "h264", "-")...)
	var units [][]byte
	for unit := range annexb.AccessUnits(stream) {
		units = append(units, unit)
	}
	return units
}

// Sound is the channel of a microphone.
func Sound(device string) recording.Channel {
	return recording.Channel{Device: device, Kind: "audio", Stream: "audio", Direction: recording.Out,
		Type: "waldo.media.v1.AudioFrame", Files: Files(&mediav1.AudioFrame{}), Media: "audio/opus"}
}

// delay is how long after their capture messages of tests arrive.
const delay = 20 * time.Millisecond

// VideoMessage is a message with a picture that was captured at a time.
func VideoMessage(n int, at time.Time, format *mediav1.VideoFormat, key bool, data []byte) write.Message {
	message, _ := proto.Marshal(&mediav1.VideoFrame{ // it always can be
		Epoch: 7, Sequence: int64(n), CaptureTime: timestamppb.New(at), KeyFrame: key, Format: format, Data: data,
	})
	return write.Message{Logged: at.Add(delay), Published: at, Sequence: uint32(n), Key: key, Data: message}
}

// AudioMessage is a message with an Opus packet of 20 ms that was captured at a time.
func AudioMessage(n int, at time.Time, channels int, packet []byte) write.Message {
	message, _ := proto.Marshal(&mediav1.AudioFrame{ // it always can be
		Epoch: 8, Sequence: int64(n), CaptureTime: timestamppb.New(at), SampleIndex: int64(n) * 960, SampleCount: 960,
		Format: &mediav1.AudioFormat{MediaType: "audio/opus", SampleRateHz: 48000, Channels: int32(channels)}, Data: packet,
	})
	return write.Message{Logged: at.Add(delay), Published: at, Sequence: uint32(n), Data: message}
}

// H264 is the format of pictures of a size.
func H264(width, height int32) *mediav1.VideoFormat {
	return &mediav1.VideoFormat{MediaType: media.H264, WidthPx: width, HeightPx: height}
}
