package library_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/recording/export"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/library"
	"github.com/waldo-robot/waldo/recording/mp4"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/segment"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func name(n int) string {
	return folder.Name{Start: recordingtest.Begin.Add(time.Duration(n) * time.Hour), Robot: "rover", Number: 1}.String()
}

// film writes pictures to a file that stays open.
func film(t testing.TB, path string, clip [][]byte) *write.File {
	t.Helper()
	f, err := write.Create(path, write.Head{}, write.Config{ChunkBytes: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Abandon)
	c, err := f.Add(recordingtest.Video("front"))
	if err != nil {
		t.Fatal(err)
	}
	for n, unit := range clip {
		at := recordingtest.Begin.Add(time.Duration(n) * time.Second / 30)
		m := recordingtest.VideoMessage(n, at, recordingtest.H264(320, 240), annexb.IsKeyFrame(unit), unit)
		if err := f.Write(c, m); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func ask(l *library.Library, name string, at time.Duration) (*recorderv1.GetSegmentResponse, error) {
	return l.Segment(context.Background(), &recorderv1.GetSegmentRequest{
		Name: name, Device: "front", Stream: "video", Offset: durationpb.New(at), Initialization: true,
	})
}

// TestLibrary: more recordings than stay open, by several at once.
func TestLibrary(t *testing.T) {
	dir, clip := t.TempDir(), recordingtest.Clip(t, "320x240", "2", "30")
	const recordings = 6
	for n := range recordings {
		if err := film(t, filepath.Join(dir, name(n)), clip).Close(); err != nil {
			t.Fatal(err)
		}
	}
	l := library.New(folder.New(dir))
	defer l.Close()
	var all sync.WaitGroup
	for n := range recordings {
		all.Go(func() {
			for i := range 10 {
				at := time.Duration(i) * 200 * time.Millisecond
				p, err := ask(l, name((n+i)%recordings), at)
				if err != nil || len(p.GetMedia()) == 0 || len(p.GetInitialization()) == 0 || p.GetCodec() != "avc1.42c00d" {
					t.Errorf("%v, %d bytes", err, len(p.GetMedia()))
				}
				answer, err := l.Timeline(context.Background(), &recorderv1.GetTimelineRequest{Name: name((n + i) % recordings)})
				if err != nil || len(answer.GetStreams()) != 1 || answer.GetRecording().GetMessageCount() != 60 {
					t.Errorf("%v, %v", answer, err)
				}
			}
		})
	}
	all.Wait()
	p, err := ask(l, name(0), 0)
	if err != nil || p.GetNext().AsDuration() != 980*time.Millisecond || p.GetOffset().AsDuration() != 0 {
		t.Errorf("%v to %v, %v", p.GetOffset(), p.GetNext(), err)
	}
	if p, err = ask(l, name(0), time.Second); err != nil || p.Next != nil {
		t.Errorf("%v, %v", p.GetNext(), err)
	}
}

// TestRefused: what is not there, and what cannot be read.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name(1)), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := film(t, filepath.Join(dir, name(2)), recordingtest.Clip(t, "320x240", "0.1", "30")).Close(); err != nil {
		t.Fatal(err)
	}
	l := library.New(folder.New(dir))
	defer l.Close()
	for _, tt := range []struct {
		name, device string
		want         error
	}{
		{name(0), "front", folder.ErrNone},
		{"../" + name(2), "front", folder.ErrNone},
		{name(1), "front", library.ErrDamaged},
		{name(2), "rear", segment.ErrNoStream},
	} {
		_, err := l.Segment(context.Background(),
			&recorderv1.GetSegmentRequest{Name: tt.name, Device: tt.device, Stream: "video"})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s/%s: %v", tt.name, tt.device, err)
		}
	}
	if len(library.Codes()) != 3 || library.Codes()[mp4.ErrUnsupported] == 0 {
		t.Error("errors have no codes")
	}
}

// TestGrowing: a recording that is being written can be looked at.
func TestGrowing(t *testing.T) {
	dir, clip := t.TempDir(), recordingtest.Clip(t, "320x240", "2", "15")
	f := film(t, filepath.Join(dir, name(0)), clip)
	l := library.New(folder.New(dir))
	defer l.Close()
	deadline := time.Now().Add(time.Minute)
	for { // what has been written comes to the disk chunk by chunk
		p, err := ask(l, name(0), time.Second)
		if err == nil && p.GetOffset().AsDuration() == 980*time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v, %v", p.GetOffset(), err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	growing, err := l.Timeline(context.Background(), &recorderv1.GetTimelineRequest{Name: name(0)})
	if about := growing.GetRecording(); err != nil || !about.GetOpen() || len(growing.GetEvents()) != 0 ||
		about.GetDuration().AsDuration() < 980*time.Millisecond {
		t.Errorf("while it is written: %v, %v", growing, err)
	}
	if p, err := ask(l, name(0), growing.GetRecording().GetDuration().AsDuration()); err != nil || len(p.GetMedia()) == 0 {
		t.Errorf("there is nothing where it ends: %v, %v", p.GetOffset(), err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	answer, err := l.Timeline(context.Background(), &recorderv1.GetTimelineRequest{Name: name(0)})
	if err != nil || answer.GetStreams()[0].GetMessageCount() != 60 {
		t.Errorf("%v, %v", answer.GetStreams(), err)
	}
}

// FuzzFile: whatever a file has, it can be looked at and exported, or is refused.
func FuzzFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "drive.mcap")
	if err := film(f, path, recordingtest.Clip(f, "64x64", "0.5", "5")).Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	damaged := append([]byte{}, whole...)
	for i := len(damaged) / 4; i < len(damaged); i += 97 {
		damaged[i] ^= 0x55
	}
	f.Add(damaged)
	f.Add([]byte("no recording"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, name(0))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := library.New(folder.New(dir))
		defer l.Close()
		ctx := context.Background()
		answer, err := l.Timeline(ctx, &recorderv1.GetTimelineRequest{Name: name(0)})
		if err != nil {
			return
		}
		for _, s := range answer.GetStreams() {
			for _, at := range []time.Duration{0, 300 * time.Millisecond} {
				p, err := l.Segment(ctx, &recorderv1.GetSegmentRequest{
					Name: name(0), Device: s.GetDevice(), Stream: s.GetStream(), Offset: durationpb.New(at), Initialization: true,
				})
				if err == nil && len(p.GetMedia()) > 4<<20 {
					t.Errorf("a piece of %d bytes", len(p.GetMedia()))
				}
			}
		}
		r, err := export.Open([]string{path})
		if err != nil {
			return
		}
		defer r.Close()
		_, _ = r.MP4(ctx, filepath.Join(dir, "out.mp4"), export.Choice{}) // it may fail
		_, _ = r.CSV(ctx, filepath.Join(dir, "csv"), export.Choice{})     // likewise
	})
}
