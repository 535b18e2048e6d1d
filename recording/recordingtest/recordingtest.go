// Package recordingtest makes recordings for tests.
package recordingtest

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/write"
)

// Begin is when recordings of tests begin.
var Begin = time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC)

// Files returns what defines a message, imports first.
func Files(m proto.Message) *descriptorpb.FileDescriptorSet {
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(m.ProtoReflect().Descriptor().ParentFile())
	return set
}

// Video is the channel of a camera's pictures.
func Video(device string) recording.Channel {
	return recording.Channel{Device: device, Kind: "camera", Stream: "video", Direction: recording.Out,
		Type: "waldo.media.v1.VideoFrame", Files: Files(&mediav1.VideoFrame{}), Media: media.H264}
}

// State is the channel of a device's states.
func State(device string) recording.Channel {
	return recording.Channel{Device: device, Kind: "serial", Direction: recording.State,
		Type: "waldo.device.v1.Device", Files: Files(&devicev1.Device{})}
}

// Picture is the n-th picture of a camera, at 30 a second with a key frame a second.
func Picture(n int, size int) write.Message {
	at := Begin.Add(time.Duration(n) * time.Second / 30)
	data, _ := proto.Marshal(&mediav1.VideoFrame{ // it always can be
		Epoch: 7, Sequence: int64(n), CaptureTime: timestamppb.New(at.Add(-5 * time.Millisecond)), KeyFrame: n%30 == 0,
		Format: &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 640, HeightPx: 480}, Data: make([]byte, size),
		Metadata: map[string]string{"n": "1"},
	})
	return write.Message{Logged: at, Published: at.Add(-5 * time.Millisecond), Sequence: uint32(n), Key: n%30 == 0,
		Data: data}
}

// Record writes so many pictures, and after every tenth a state, to a file that stays open.
func Record(t testing.TB, path string, pictures, size int, c write.Config) *write.File {
	t.Helper()
	f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": "rover"},
		Attachments: []write.Attachment{{Name: "robot.yaml", MediaType: "application/yaml", Data: []byte("robot: rover\n")}}},
		c)
	if err != nil {
		t.Fatal(err)
	}
	video := Add(t, f, Video("front"))
	var state write.Channel
	for n := range pictures {
		m := Picture(n, size)
		if err := f.Write(video, m); err != nil {
			t.Fatal(err)
		}
		if n%10 != 0 {
			continue
		}
		if n == 0 {
			state = Add(t, f, State("motors"))
		}
		data, _ := proto.Marshal(&devicev1.Device{Name: "motors", Epoch: int64(n)}) // it always can be
		if err := f.Write(state, write.Message{Logged: m.Logged, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// Add adds a channel.
func Add(t testing.TB, f *write.File, c recording.Channel) write.Channel {
	t.Helper()
	channel, err := f.Add(c)
	if err != nil {
		t.Fatal(err)
	}
	return channel
}
