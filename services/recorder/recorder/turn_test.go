package recorder

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/library"
)

// TestReadingTakesTurns: whoever asks while enough is being read waits, and may give up.
func TestReadingTakesTurns(t *testing.T) {
	f := folder.New(t.TempDir())
	s := &service{recorder: &recorder{reader: f}, library: library.New(f), reading: make(chan struct{}, 1)}
	asks := map[string]func(context.Context) error{
		"list": func(ctx context.Context) error {
			_, err := s.ListRecordings(ctx, &recorderv1.ListRecordingsRequest{})
			return err
		},
		"timeline": func(ctx context.Context) error {
			_, err := s.GetTimeline(ctx, &recorderv1.GetTimelineRequest{})
			return err
		},
		"piece": func(ctx context.Context) error {
			_, err := s.GetSegment(ctx, &recorderv1.GetSegmentRequest{})
			return err
		},
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ask := range asks {
		leave, err := s.turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := ask(gone); status.Code(err) != codes.Canceled {
			t.Errorf("%s: whoever gives up gets %v", name, err)
		}
		leave()
		for range 2 { // each leaves its turn
			if err := ask(t.Context()); status.Code(err) != codes.NotFound && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestFilesArePaced: who asks for more of files than is given away waits, and is told if that is too long.
func TestFilesArePaced(t *testing.T) {
	dir := t.TempDir()
	file := folder.Name{Start: time.Now(), Robot: "rover", Number: 1}.String()
	if err := os.WriteFile(filepath.Join(dir, file), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &service{recorder: &recorder{reader: folder.New(dir)}, reading: make(chan struct{}, 1),
		pace: rate.NewLimiter(rate.Every(time.Hour), maxRead)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ask := func() error {
		_, err := s.ReadFile(ctx, &recorderv1.ReadFileRequest{File: file, MaxBytes: maxRead})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("there is nothing left to be given away: %v", err)
	}
}
