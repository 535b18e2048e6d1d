package drives

import (
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// BenchmarkRecordedDrive measures how long it takes to tell of a drive of ten minutes, with 30 pictures a second of
// 2 Mbit/s and 20 commands a second: all drives, and each command with its picture.
func BenchmarkRecordedDrive(b *testing.B) {
	const minutes, size, each = 10, 2_000_000 / 8 / 30, 30 / 20.
	path := filepath.Join(b.TempDir(), "drive.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{QueueBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	video := recordingtest.Add(b, f, recordingtest.Video("front"))
	commands := recordingtest.Add(b, f, recording.Channel{Device: "motors", Stream: "commands", Direction: recording.Out,
		Type: recordType, Files: recordingtest.Files(&controlv1.CommandRecord{})})
	sent := int64(0)
	for n := range minutes * 60 * 30 {
		picture := recordingtest.Picture(n, size)
		if err := f.Write(video, picture); err != nil {
			b.Fatal(err)
		}
		if float64(n) < float64(sent)*each {
			continue
		}
		at := picture.Logged.Add(time.Millisecond)
		data, err := proto.Marshal(&controlv1.CommandRecord{Epoch: 7, Sequence: sent, Lease: 1,
			JudgeTime: timestamppb.New(at),
			Seen:      timestamppb.New(picture.Published), MessageJson: `{"left":100,"right":100}`,
			Report: &controlv1.CommandReport{Verdict: yes, Sight: &controlv1.Sight{Camera: "front", Speed: 1}}})
		if err == nil {
			err = f.Write(commands, write.Message{Logged: at, Data: data})
		}
		if err != nil {
			b.Fatal(err)
		}
		sent++
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("drives", func(b *testing.B) {
		for b.Loop() {
			if book := open(b, Config{Files: []string{path}}); book.Drives[0].Tally.Accepted != sent {
				b.Fatalf("%+v", book.Drives[0].Tally)
			}
		}
	})
	b.Run("commands", func(b *testing.B) {
		book := open(b, Config{Files: []string{path}})
		for b.Loop() {
			seen := int64(0)
			if err := book.Commands(b.Context(), book.Drives[0], func(c *Command) error {
				if c.Frame != nil {
					seen++
				}
				return nil
			}); err != nil || seen != sent {
				b.Fatal(seen, sent, err)
			}
		}
	})
}
