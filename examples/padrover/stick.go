package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
)

// stick is the left stick of the pad.
type stick struct {
	mu   sync.Mutex
	x, y axis
}

// follow keeps the stick up to date until the pad's program is gone. When a pad is unplugged, a report releases its
// stick.
func (s *stick) follow(ctx context.Context, pad inputv1.InputServiceClient) error {
	reports, err := pad.StreamReports(ctx, &inputv1.StreamReportsRequest{})
	for err == nil {
		var r *inputv1.StreamReportsResponse
		if r, err = reports.Recv(); err == nil {
			s.take(r, time.Now())
		}
	}
	return err
}

// take takes one step of the stream.
func (s *stick) take(r *inputv1.StreamReportsResponse, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// After a gap, a held stick was not seen to be grabbed: it has to be released first.
	if r.GetState() != nil || r.GetReport().GetResync() {
		s.x.live, s.y.live = false, false
	}
	for _, e := range append(r.GetState().GetAxes(), r.GetReport().GetEvents()...) {
		if e.GetKind() != inputv1.EventKind_EVENT_KIND_ABSOLUTE {
			continue
		}
		switch e.GetName() {
		case "ABS_X":
			s.x.move(e.GetNormalized(), now)
		case "ABS_Y":
			s.y.move(e.GetNormalized(), now)
		}
	}
}

// command mixes the stick into two motors. Up is negative on gamepads.
func (s *stick) command(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, y := s.x.value(now), s.y.value(now)
	return fmt.Sprintf(`{"left": %.0f, "right": %.0f}`, 0-180*y+60*x, 0-180*y-60*x)
}
