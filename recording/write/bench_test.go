package write_test

import (
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// BenchmarkRecordWrite writes what a robot with four cameras of 2 Mbit/s at 30 pictures a second and 1,000 structs a
// second makes, as fast as the disk takes it. cpu_% is what a second of that costs of a core, if all of the time is CPU
// time.
func BenchmarkRecordWrite(b *testing.B) {
	f, err := write.Create(filepath.Join(b.TempDir(), "drive.mcap"), write.Head{}, write.Config{QueueBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	var videos []write.Channel
	for _, name := range []string{"a", "b", "c", "d"} {
		videos = append(videos, recordingtest.Add(b, f, recordingtest.Video(name)))
	}
	state := recordingtest.Add(b, f, recordingtest.State("motors"))
	picture := recordingtest.Picture(1, 8333)
	data, _ := proto.Marshal(&devicev1.Device{Name: "motors", Epoch: 12345678}) // it always can be
	b.ReportAllocs()
	messages := 0
	for second := 0; b.Loop(); second++ {
		for tick := range 1000 {
			at := recordingtest.Begin.Add(time.Duration(second)*time.Second + time.Duration(tick)*time.Millisecond)
			if err := f.Write(state, write.Message{Logged: at, Data: data}); err != nil {
				b.Fatal(err)
			}
			messages++
			if tick*30/1000 == (tick+1)*30/1000 {
				continue
			}
			for _, v := range videos {
				picture.Logged, picture.Key = at, tick < 33
				if err := f.Write(v, picture); err != nil {
					b.Fatal(err)
				}
				messages++
			}
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N), "cpu_%")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(messages), "ns/message")
	if f.Lost() > 0 {
		b.Errorf("%d lost", f.Lost())
	}
}
