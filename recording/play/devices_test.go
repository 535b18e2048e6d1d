package play_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestDevices: what a device produced and said of itself is its own; what it was sent, and topics, are nobody's.
func TestDevices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	channel := func(device, kind, stream string, d recording.Direction) recording.Channel {
		c := recordingtest.Video(device)
		c.Kind, c.Stream, c.Direction, c.Media = kind, stream, d, ""
		return c
	}
	for _, c := range []recording.Channel{
		recordingtest.Video("front"), channel("front", "camera", "", recording.State),
		channel("voice", "audio", "speaker", recording.In), channel("", "", "chat", recording.Topic),
		channel("log", "recorder", "marks", recording.Out), channel("link", "uplink", "", recording.State),
		channel("bare", "", "x", recording.Out),
	} {
		if err := f.Write(recordingtest.Add(t, f, c), recordingtest.Picture(0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	devices, left := open(t, path).Devices()
	if len(devices) != 2 || devices[0].Name != "bare" || devices[1].Name != "front" || devices[1].Kind != "camera" ||
		len(devices[1].Channels) != 2 {
		t.Errorf("the devices are %v", devices)
	}
	if len(left) != 2 || left[0].Topic != "/link" || left[1].Topic != "/log/marks" {
		t.Errorf("left out are %v", left)
	}
}

// foreignFile is a file of another program, with a message on each topic: its schema and encoding.
func foreignFile(t *testing.T, topics map[string][2]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.mcap")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := mcap.NewWriter(out, &mcap.WriterOptions{Chunked: true, IncludeCRC: true})
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.WriteHeader(&mcap.Header{}))
	id := uint16(0)
	for topic, of := range topics {
		check(w.WriteSchema(&mcap.Schema{ID: id + 1, Name: of[0], Encoding: of[1], Data: compressedVideo(t)}))
		check(w.WriteChannel(&mcap.Channel{ID: id, SchemaID: id + 1, Topic: topic, MessageEncoding: of[1]}))
		check(w.WriteMessage(&mcap.Message{ChannelID: id, LogTime: 1e9, PublishTime: 1e9}))
		id++
	}
	check(w.Close())
	check(out.Close())
	return path
}

// compressedVideo is a schema with the fields that pictures have.
func compressedVideo(t *testing.T) []byte {
	t.Helper()
	field := func(name string, n int32, of descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: &of}
	}
	data, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("v.proto"), Package: proto.String("foxglove"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("CompressedVideo"),
			Field: []*descriptorpb.FieldDescriptorProto{field("data", 3, descriptorpb.FieldDescriptorProto_TYPE_BYTES),
				field("format", 4, descriptorpb.FieldDescriptorProto_TYPE_STRING)}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestForeignDevices: channels of other programs become devices named by their topics, as far as they can be played.
func TestForeignDevices(t *testing.T) {
	video := [2]string{"foxglove.CompressedVideo", "protobuf"}
	r := open(t, foreignFile(t, map[string][2]string{
		"/camera/Front Left": video, "camera_front-left": video, "/gateway": video, "/": video, "player": video,
		"/ros": {"foxglove_msgs/msg/CompressedVideo", "cdr"}, "/imu": {"foxglove.Imu", "protobuf"},
		"/broken": {"foxglove.CompressedAudio", "protobuf"},
	}))
	devices, left := r.Devices()
	var names []string
	for _, d := range devices {
		names = append(names, d.Name)
		if d.Kind != "camera" || !d.Foreign() {
			t.Errorf("%s is a %s", d.Name, d.Kind)
		}
	}
	if want := []string{"camera", "camera-front-left", "camera-front-left-2", "gateway-2",
		"player-2"}; !slices.Equal(names, want) {
		t.Errorf("the devices are %v, not %v", names, want)
	}
	var topics []string
	for _, c := range left {
		topics = append(topics, c.Topic)
		if play.CheckForeign(c) == nil {
			t.Errorf("%s is left out without a reason", c.Topic)
		}
	}
	if want := []string{"/broken", "/imu", "/ros"}; !slices.Equal(topics, want) {
		t.Errorf("left out are %v, not %v", topics, want)
	}
}

// TestDamaged plays what is left of a file that was cut, without an index, and changes nothing.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cut.mcap")
	if err := recordingtest.Record(t, path, 200, 1000, write.Config{ChunkBytes: 20_000}).Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, path)
	if r.Problem() == nil {
		t.Error("it is not told that the file is damaged")
	}
	count := 0
	for messages := r.Messages(0, 0, nil); ; count++ {
		if _, err := messages.Next(); err != nil {
			break
		}
	}
	if all := open(t, path).Duration(); count < 80 || all == 0 {
		t.Errorf("%d messages are left, %v", count, all)
	}
	last, found, err := r.Last(r.Channels()[0], r.Duration())
	if err != nil || !found || last.Offset > r.Duration() {
		t.Errorf("the last is at %v of %v (%v), %v", last.Offset, r.Duration(), found, err)
	}
	if after, err := os.ReadFile(path); err != nil || len(after) != len(whole)/2 {
		t.Error("the file has changed", err)
	}
}
