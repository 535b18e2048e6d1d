package recording_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/recordingtest"
)

var at = time.Date(2026, 11, 30, 7, 0, 0, 5, time.UTC)

// said are messages with what they say of themselves.
var said = map[string]struct {
	message  proto.Message
	sequence int64
	key      bool
	media    string
	captured time.Time
}{
	"picture": {&mediav1.VideoFrame{Epoch: 3, Sequence: 1 << 40, CaptureTime: timestamppb.New(at), KeyFrame: true,
		Format: &mediav1.VideoFormat{MediaType: "video/H264", WidthPx: 640}, Data: []byte("data")}, 1 << 40, true,
		"video/H264", at},
	"sound": {&mediav1.AudioFrame{Sequence: 2, CaptureTime: timestamppb.New(at), SampleIndex: 7,
		Format: &mediav1.AudioFormat{MediaType: "audio/opus", SampleRateHz: 48000}}, 2, false, "audio/opus", at},
	"command": {&controlv1.CommandRecord{Sequence: 9, JudgeTime: timestamppb.New(at)}, 9, false, "", at},
	"message": {&messagev1.Message{Topic: "chat", PublishTime: timestamppb.New(at)}, 0, false, "", at},
	"state":   {&devicev1.Device{Epoch: 3, StartTime: timestamppb.New(at)}, 0, false, "", time.Time{}},
	"impossible": {&mediav1.VideoFrame{CaptureTime: &timestamppb.Timestamp{Seconds: 1 << 60}}, 0, false, "",
		time.Time{}},
	"nothing at all": {&mediav1.VideoFrame{}, 0, false, "", time.Time{}},
}

func TestFacts(t *testing.T) {
	for name, tt := range said {
		data, err := proto.Marshal(tt.message)
		if err != nil {
			t.Fatal(err)
		}
		of := string(tt.message.ProtoReflect().Descriptor().FullName())
		f := recording.FieldsOf(recordingtest.Files(tt.message), of).Read(data)
		if f.Sequence != tt.sequence || f.Key != tt.key || string(f.Media) != tt.media || !f.Captured.Equal(tt.captured) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := (recording.Fields{}).Read([]byte("\x10\x05")); f.Sequence != 0 {
		t.Errorf("fields that are not known: %+v", f)
	}
}

// FuzzFacts: whatever is read, nothing is made up that no message can say.
func FuzzFacts(f *testing.F) {
	for _, tt := range said {
		data, err := proto.Marshal(tt.message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	fields := recording.FieldsOf(recordingtest.Files(&mediav1.VideoFrame{}), "waldo.media.v1.VideoFrame")
	f.Fuzz(func(t *testing.T, data []byte) {
		facts := fields.Read(data)
		if len(facts.Media) > len(data) || facts.Captured.Year() > 9999 {
			t.Errorf("%+v", facts)
		}
		var m mediav1.VideoFrame
		if proto.Unmarshal(data, &m) == nil &&
			(m.GetEpoch() != facts.Epoch || m.GetSequence() != facts.Sequence || m.GetKeyFrame() != facts.Key) {
			t.Errorf("%+v of %v", facts, &m)
		}
	})
}
