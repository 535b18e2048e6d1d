package timeline_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/segment"
	"github.com/waldo-robot/waldo/recording/timeline"
	"github.com/waldo-robot/waldo/recording/write"
)

// hour records an hour of driving: a camera of 2 Mbit/s, states of the actuator 10 times a second, commands 50 times.
func hour(b *testing.B) *read.File {
	b.Helper()
	path := filepath.Join(b.TempDir(), "hour.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{QueueBytes: math.MaxInt})
	if err != nil {
		b.Fatal(err)
	}
	add := func(stream string, m proto.Message) (write.Channel, []byte) {
		c, err := f.Add(recording.Channel{Device: "motors", Kind: "serial", Stream: stream, Direction: recording.Out,
			Type: string(m.ProtoReflect().Descriptor().FullName()), Files: recordingtest.Files(m)})
		if err != nil {
			b.Fatal(err)
		}
		data, _ := proto.Marshal(m) // it always can be
		return c, data
	}
	video, err := f.Add(recordingtest.Video("front"))
	if err != nil {
		b.Fatal(err)
	}
	control, held := add("control", held("anna"))
	commands, accepted := add("commands", judged(controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED))
	const pictures = 3600 * 30
	sent := uint32(0)
	for n := range pictures {
		m := recordingtest.Picture(n, 8000)
		err := f.Write(video, m)
		for err == nil && int(sent) < n*50/30 {
			err = f.Write(commands, write.Message{Logged: m.Logged, Sequence: sent, Data: accepted})
			sent++
		}
		if err == nil && n%3 == 0 {
			err = f.Write(control, write.Message{Logged: m.Logged, Data: held})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	r, err := read.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	return r
}

// BenchmarkTimelineOfHour measures how long it takes to tell what happened in an hour.
func BenchmarkTimelineOfHour(b *testing.B) {
	files := []*read.File{hour(b)}
	b.ReportAllocs()
	for b.Loop() {
		events, _, err := timeline.Events(context.Background(), files)
		if err != nil || len(events) != 1 {
			b.Fatalf("%v, %v", events, err)
		}
	}
}

// BenchmarkStreamsOfHour measures how long it takes to tell what is in an hour.
func BenchmarkStreamsOfHour(b *testing.B) {
	files := []*read.File{hour(b)}
	for b.Loop() {
		streams, err := timeline.Streams(context.Background(), files, segment.New(files))
		if err != nil || len(streams) != 3 {
			b.Fatalf("%v, %v", streams, err)
		}
	}
}
