package recorder

import (
	"context"
	"testing"

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
		"file": func(ctx context.Context) error {
			_, err := s.ReadFile(ctx, &recorderv1.ReadFileRequest{})
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
