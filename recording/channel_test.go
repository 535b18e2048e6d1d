package recording_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/recordingtest"
)

// channels are those that a recording can have.
var channels = []struct {
	what    string
	channel recording.Channel
	topic   string
	schema  string
}{
	{"H.264", recordingtest.Video("front"), "/front/video", "foxglove.CompressedVideo"},
	{"H.265", video(media.H265), "/front/video", "foxglove.CompressedVideo"},
	{"JPEG", video(media.JPEG), "/front/video", "foxglove.CompressedImage"},
	{"VP8, which others do not know", video(media.VP8), "/front/video", "waldo.media.v1.VideoFrame"},
	{"pictures of an unknown sort", video(""), "/front/video", "waldo.media.v1.VideoFrame"},
	{"Opus", sound(recording.Out, "microphone"), "/voice/microphone", "foxglove.CompressedAudio"},
	{"Opus, sent to a device", sound(recording.In, "speaker"), "/voice/in/speaker", "foxglove.CompressedAudio"},
	{"states", recordingtest.State("motors"), "/motors", "waldo.device.v1.Device"},
	{"a topic", recording.Channel{Stream: "chat", Direction: recording.Topic, Type: "waldo.control.v1.CommandRecord",
		Files: recordingtest.Files(&controlv1.CommandRecord{})}, "/msg/chat", "waldo.control.v1.CommandRecord"},
}

func video(mediaType string) recording.Channel {
	c := recordingtest.Video("front")
	c.Media = mediaType
	return c
}

func sound(d recording.Direction, stream string) recording.Channel {
	return recording.Channel{Device: "voice", Kind: "audio", Stream: stream, Direction: d,
		Type: "waldo.media.v1.AudioFrame", Files: recordingtest.Files(&mediav1.AudioFrame{}), Media: "audio/opus"}
}

// TestChannel: a channel comes back from a file as it was, and its messages byte for byte.
func TestChannel(t *testing.T) {
	for _, tt := range channels {
		t.Run(tt.what, func(t *testing.T) {
			record, schema, err := tt.channel.Records(3, 4)
			if err != nil {
				t.Fatal(err)
			}
			if record.Topic != tt.topic || schema.Name != tt.schema || record.ID != 3 || record.SchemaID != 4 || schema.ID != 4 {
				t.Errorf("%+v, schema %d %s", record, schema.ID, schema.Name)
			}
			c, err := recording.Parse(record, schema)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.channel
			if c.Device != want.Device || c.Kind != want.Kind || c.Stream != want.Stream || c.Direction != want.Direction ||
				c.Type != want.Type || c.Media != want.Media || c.Name() != tt.topic {
				t.Errorf("%+v", c)
			}
			for _, message := range [][]byte{nil, {1}, bytes.Repeat([]byte{0xff}, 1000)} {
				encoded := tt.channel.Encode([]byte("before"), message)
				after, ok := bytes.CutPrefix(encoded, []byte("before"))
				if got := c.Original(after); !ok || !bytes.Equal(got, message) {
					t.Errorf("%x is %x, after %x", message, got, encoded)
				}
			}
		})
	}
}

// TestShown: what other programs make of pictures and sound, by the schema alone.
func TestShown(t *testing.T) {
	captured := &timestamppb.Timestamp{Seconds: 1796022000, Nanos: 5}
	frame, err := proto.Marshal(&mediav1.VideoFrame{Epoch: 7, Sequence: 8, CaptureTime: captured, KeyFrame: true,
		Format: &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 640}, Data: []byte("picture"),
		Metadata: map[string]string{"n": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	packet, err := proto.Marshal(&mediav1.AudioFrame{CaptureTime: captured, Data: []byte("packet"),
		Format: &mediav1.AudioFormat{MediaType: "audio/opus"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what    string
		channel recording.Channel
		message []byte
		want    map[string]any
	}{
		{"H.264", video(media.H264), frame, map[string]any{"frame_id": "front", "format": "h264", "data": []byte("picture"),
			"epoch": int64(7), "key_frame": true}},
		{"H.265", video(media.H265), frame, map[string]any{"frame_id": "front", "format": "h265", "data": []byte("picture")}},
		{"JPEG", video(media.JPEG), frame, map[string]any{"frame_id": "front", "format": "jpeg", "data": []byte("picture")}},
		{"Opus", sound(recording.Out, "microphone"), packet, map[string]any{"format": "opus", "data": []byte("packet")}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			_, schema, err := tt.channel.Records(0, 1)
			if err != nil {
				t.Fatal(err)
			}
			m := dynamicpb.NewMessage(describe(t, schema))
			if err := proto.Unmarshal(tt.channel.Encode(nil, tt.message), m); err != nil {
				t.Fatal(err)
			}
			fields := m.Descriptor().Fields()
			for name, want := range tt.want {
				field := fields.ByName(protoreflect.Name(name))
				if field == nil {
					t.Fatalf("there is no %s", name)
				}
				got := m.Get(field).Interface()
				if b, ok := got.([]byte); ok && bytes.Equal(b, want.([]byte)) {
					continue
				} else if ok || got != want {
					t.Errorf("%s is %v", name, got)
				}
			}
			at := fields.ByName("timestamp")
			if at == nil || at.Message().FullName() != "google.protobuf.Timestamp" {
				t.Fatalf("timestamp is %v", at)
			}
			if stamp := m.Get(at).Message(); stamp.Get(at.Message().Fields().ByName("seconds")).Int() != captured.GetSeconds() {
				t.Errorf("the time is %v", stamp)
			}
			if len(m.GetUnknown()) > 0 {
				t.Errorf("unknown: %x", m.GetUnknown())
			}
		})
	}
}

// describe returns the message that a schema describes.
func describe(t *testing.T, schema *mcap.Schema) protoreflect.MessageDescriptor {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(schema.Data, set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	found, err := files.FindDescriptorByName(protoreflect.FullName(schema.Name))
	if err != nil {
		t.Fatal(err)
	}
	return found.(protoreflect.MessageDescriptor)
}

// TestNoType: a picture whose type is not described.
func TestNoType(t *testing.T) {
	c := recordingtest.Video("front")
	c.Files = recordingtest.Files(&timestamppb.Timestamp{})
	if _, _, err := c.Records(0, 1); err == nil ||
		!strings.Contains(err.Error(), "waldo.media.v1.VideoFrame is not defined") {
		t.Error(err)
	}
}

// spoiled are channels of files that say what cannot be.
var spoiled = []struct {
	what  string
	spoil func(*mcap.Channel, *mcap.Schema)
	fails string
}{
	{"no type", func(c *mcap.Channel, _ *mcap.Schema) { delete(c.Metadata, "waldo.type") }, "not Waldo's"},
	{"no metadata", func(c *mcap.Channel, _ *mcap.Schema) { c.Metadata = nil }, "not Waldo's"},
	{"another topic", func(c *mcap.Channel, _ *mcap.Schema) { c.Topic = "/else/video" }, `is of "/front/video"`},
	{"another direction", func(c *mcap.Channel, _ *mcap.Schema) { c.Metadata["waldo.direction"] = "up" }, "direction"},
	{"JSON", func(c *mcap.Channel, _ *mcap.Schema) { c.MessageEncoding = "json" }, "no protobuf schema"},
	{"a schema of another sort", func(_ *mcap.Channel, s *mcap.Schema) { s.Encoding = "ros2msg" }, "no protobuf schema"},
	{"a schema that is none", func(_ *mcap.Channel, s *mcap.Schema) { s.Data = []byte("hello") }, "its schema"},
	{"a schema without end", func(_ *mcap.Channel, s *mcap.Schema) { s.Data = make([]byte, 64<<20) }, "its schema has"},
	{"no number of appended bytes", func(c *mcap.Channel, _ *mcap.Schema) { delete(c.Metadata, "waldo.appended") },
		"waldo.appended"},
	{"too many", func(c *mcap.Channel, _ *mcap.Schema) { c.Metadata["waldo.appended"] = "99999" }, "waldo.appended"},
	{"fewer than none", func(c *mcap.Channel, _ *mcap.Schema) { c.Metadata["waldo.appended"] = "-1" }, "waldo.appended"},
}

func TestSpoiled(t *testing.T) {
	for _, tt := range spoiled {
		t.Run(tt.what, func(t *testing.T) {
			record, schema, err := recordingtest.Video("front").Records(0, 1)
			if err != nil {
				t.Fatal(err)
			}
			tt.spoil(record, schema)
			_, err = recording.Parse(record, schema)
			if err == nil || !strings.Contains(err.Error(), tt.fails) ||
				errors.Is(err, recording.ErrForeign) != strings.Contains(tt.fails, "not Waldo's") {
				t.Error(err)
			}
		})
	}
	if _, err := recording.Parse(&mcap.Channel{}, nil); !errors.Is(err, recording.ErrForeign) {
		t.Error(err)
	}
}

// FuzzParse: whatever a channel of a file says, a message of it is a part of what is in the file.
func FuzzParse(f *testing.F) {
	add := func(c *mcap.Channel, s *mcap.Schema) {
		if len(s.Data) > 1<<16 {
			return
		}
		m := c.Metadata
		f.Add(c.Topic, c.MessageEncoding, m["waldo.device"], m["waldo.stream"], m["waldo.direction"], m["waldo.type"],
			m["waldo.appended"], s.Encoding, s.Data, []byte("message"))
	}
	for _, tt := range channels {
		record, schema, err := tt.channel.Records(0, 1)
		if err != nil {
			f.Fatal(err)
		}
		add(record, schema)
		for _, s := range spoiled {
			record, schema := *record, *schema
			record.Metadata = maps.Clone(record.Metadata)
			s.spoil(&record, &schema)
			add(&record, &schema)
		}
	}
	f.Fuzz(func(t *testing.T, topic, encoding, device, stream, direction, of, appended, schemaEncoding string, data,
		message []byte) {
		c, err := recording.Parse(&mcap.Channel{Topic: topic, MessageEncoding: encoding, Metadata: map[string]string{
			"waldo.device": device, "waldo.stream": stream, "waldo.direction": direction, "waldo.type": of,
			"waldo.appended": appended,
		}}, &mcap.Schema{ID: 1, Name: of, Encoding: schemaEncoding, Data: data})
		if got := c.Original(message); !bytes.HasPrefix(message, got) {
			t.Errorf("%x of %x", got, message)
		}
		if err != nil {
			return
		}
		if c.Name() != topic ||
			!slices.Contains([]recording.Direction{recording.Out, recording.In, recording.State, recording.Topic},
				c.Direction) {
			t.Errorf("%+v of %q", c, topic)
		}
		_, _, _ = c.Records(0, 1) // what a player makes of it may fail
	})
}
