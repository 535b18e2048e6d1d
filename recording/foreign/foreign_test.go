package foreign

import (
	"strings"
	"testing"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

var (
	captured = time.Date(2026, 11, 29, 7, 0, 0, 5000, time.UTC)
	logged   = captured.Add(time.Second)
)

// schemaOf is the schema of a message, with numbers as no program uses them.
func schemaOf(t testing.TB, name string, change func(*descriptorpb.DescriptorProto)) *mcap.Schema {
	t.Helper()
	pkg, message, _ := strings.Cut(name, ".")
	field := func(name string, number int32,
		kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind}
		if kind == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE {
			f.TypeName = proto.String(".google.protobuf.Timestamp")
		}
		return f
	}
	m := &descriptorpb.DescriptorProto{Name: &message, Field: []*descriptorpb.FieldDescriptorProto{
		field("frame_id", 1, descriptorpb.FieldDescriptorProto_TYPE_STRING),
		field("format", 100, descriptorpb.FieldDescriptorProto_TYPE_STRING),
		field("data", 7, descriptorpb.FieldDescriptorProto_TYPE_BYTES),
		field("timestamp", 12, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE),
	}}
	if change != nil {
		change(m)
	}
	data, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		{Name: proto.String("other.proto"), Package: proto.String("other")},
		{Name: proto.String("a.proto"), Package: &pkg, MessageType: []*descriptorpb.DescriptorProto{m}}}})
	if err != nil {
		t.Fatal(err)
	}
	return &mcap.Schema{Name: name, Encoding: "protobuf", Data: data}
}

// message is one by that schema.
func message(t testing.TB, format string, at time.Time, data []byte) []byte {
	t.Helper()
	stamp, err := proto.Marshal(timestamppb.New(at))
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, "camera")
	b = protowire.AppendTag(b, 9, protowire.VarintType) // not in the schema
	b = protowire.AppendVarint(b, 1<<60)
	if !at.IsZero() {
		b = protowire.AppendTag(b, 12, protowire.BytesType)
		b = protowire.AppendBytes(b, stamp)
	}
	b = protowire.AppendTag(b, 7, protowire.BytesType)
	b = protowire.AppendBytes(b, data)
	b = protowire.AppendTag(b, 100, protowire.BytesType)
	return protowire.AppendString(b, format)
}

var (
	idr     = []byte{0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88}
	delta   = []byte{0, 0, 0, 1, 0x41, 0x9a}
	cra     = []byte{0, 0, 0, 1, 21 << 1, 1, 0x80}
	trail   = []byte{0, 0, 0, 1, 1 << 1, 1, 0x80}
	picture = []byte{0xff, 0xd8, 0xff, 0xd9}
)

func TestPictures(t *testing.T) {
	for _, tt := range []struct {
		schema, format string
		data           []byte
		mediaType      string
		key            bool
	}{
		{video, "h264", idr, media.H264, true}, {video, "h264", delta, media.H264, false},
		{video, "H265", cra, media.H265, true}, {video, "h265", trail, media.H265, false},
		{image, "jpeg", picture, media.JPEG, true}, {image, "jpg", picture, media.JPEG, true},
		{video, "h264", nil, media.H264, false},
	} {
		c, err := New(schemaOf(t, tt.schema, nil))
		if err != nil || c.Kind() != Video {
			t.Fatalf("%s: kind %v, %v", tt.schema, c.Kind(), err)
		}
		for n, at := range []time.Time{captured, {}} {
			data := message(t, tt.format, at, tt.data)
			made, err := c.Message(data, logged)
			if err != nil {
				t.Fatalf("%s: %v", tt.format, err)
			}
			if at.IsZero() {
				at = logged
			}
			want := &mediav1.VideoFrame{Epoch: 1, Sequence: int64(n), CaptureTime: timestamppb.New(at), KeyFrame: tt.key,
				Format: &mediav1.VideoFormat{MediaType: tt.mediaType}, Data: tt.data}
			var got mediav1.VideoFrame
			if err := proto.Unmarshal(made, &got); err != nil || !proto.Equal(&got, want) || c.Key(data) != tt.key {
				t.Errorf("%s becomes %v, %v, want %v; decoding begins there: %v", tt.format, &got, err, want, c.Key(data))
			}
		}
	}
}

func TestSound(t *testing.T) {
	c, err := New(schemaOf(t, audio, nil))
	if err != nil || c.Kind() != Audio {
		t.Fatal(err)
	}
	packet := []byte{0x7c, 1, 2, 3} // stereo, 20 ms
	next := int64(0)
	for n, at := range []time.Duration{0, 23 * time.Millisecond, 38 * time.Millisecond, 10 * time.Second,
		5 * time.Second} {
		made, err := c.Message(message(t, "opus", captured.Add(at), packet), logged)
		if err != nil {
			t.Fatal(err)
		}
		var f mediav1.AudioFrame
		if err := proto.Unmarshal(made, &f); err != nil {
			t.Fatal(err)
		}
		jumps := n == 0 || n > 2
		if f.GetSequence() != int64(n) || f.GetSampleCount() != 960 || f.GetFormat().GetChannels() != 2 ||
			!f.GetCaptureTime().AsTime().Equal(captured.Add(at)) || (f.GetSampleIndex() != next) != jumps {
			t.Errorf("packet %d: %v, want it to begin at %d unless it jumps (%v)", n, &f, next, jumps)
		}
		next = f.GetSampleIndex() + 960
	}
}

func TestRefused(t *testing.T) {
	for says, schema := range map[string]*mcap.Schema{
		"no schema":          nil,
		"cannot be replayed": schemaOf(t, "foxglove.RawImage", nil),
		"must be protobuf":   {Name: video, Encoding: "jsonschema", Data: []byte("{}")},
		"does not define":    {Name: video, Encoding: "protobuf"},
		"more than":          {Name: video, Encoding: "protobuf", Data: make([]byte, 64<<20)},
		"cannot parse":       {Name: video, Encoding: "protobuf", Data: []byte{0xff}},
		"no field data of bytes": schemaOf(t, video,
			func(m *descriptorpb.DescriptorProto) { m.Field[2].Type = m.Field[0].Type }),
		"no field format of stri": schemaOf(t, image, func(m *descriptorpb.DescriptorProto) { m.Field = m.Field[2:] }),
	} {
		if _, err := New(schema); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "\u00a0", " "), says) {
			t.Errorf("%v, want it to say %q", err, says)
		}
	}
	for says, tt := range map[string]struct {
		schema  string
		message []byte
	}{
		"is not shown":           {video, message(t, "av1", captured, idr)},
		"is not played":          {audio, message(t, "flac", captured, idr)},
		"has no data":            {audio, message(t, "opus", captured, nil)},
		"not a packet":           {audio, message(t, "opus", captured, []byte{0xff, 63, 0})},
		"it is damaged":          {video, message(t, "h264", captured, idr)[:40]},
		"a tag":                  {video, []byte{0xff}},
		"timestamp is damaged: ": {video, []byte{12<<3 | 2, 1, 0xff}},
	} {
		c, err := New(schemaOf(t, tt.schema, nil))
		if err != nil {
			t.Fatal(err)
		}
		if says == "a tag" {
			says = "it is damaged"
		}
		if _, err := c.Message(tt.message, logged); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want it to say %q", err, says)
		}
	}
}

// FuzzMessage: neither schemas nor messages are trouble, and what is made of a message can be read.
func FuzzMessage(f *testing.F) {
	for _, name := range []string{video, image, audio} {
		schema := schemaOf(f, name, nil)
		for _, format := range []string{"h264", "h265", "jpeg", "opus"} {
			for _, data := range [][]byte{idr, delta, cra, {0x7c, 1}, nil} {
				f.Add(name, schema.Data, message(f, format, captured, data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string, schema, data []byte) {
		c, err := New(&mcap.Schema{Name: name, Encoding: "protobuf", Data: schema})
		if err != nil {
			return
		}
		key := c.Key(data)
		made, err := c.Message(data, logged)
		if err != nil {
			return
		}
		var m proto.Message = &mediav1.VideoFrame{}
		if c.Kind() == Audio {
			m = &mediav1.AudioFrame{}
		}
		if err := proto.Unmarshal(made, m); err != nil {
			t.Fatal(err)
		}
		if v, is := m.(*mediav1.VideoFrame); is && v.GetKeyFrame() != key {
			t.Errorf("decoding begins there: %v and %v", key, v.GetKeyFrame())
		}
	})
}
