package main

import (
	"context"
	"fmt"
	"sync"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
)

// stick is how the left stick of the pad stands.
type stick struct {
	mu   sync.Mutex
	x, y float64
}

// follow keeps the stick up to date until the pad's program is gone. A pad that is unplugged says itself that the stick is let go.
func (s *stick) follow(ctx context.Context, pad inputv1.InputServiceClient) error {
	reports, err := pad.StreamReports(ctx, &inputv1.StreamReportsRequest{})
	for err == nil {
		var r *inputv1.StreamReportsResponse
		r, err = reports.Recv()
		s.mu.Lock()
		for _, e := range append(r.GetState().GetAxes(), r.GetReport().GetEvents()...) {
			switch e.GetName() {
			case "ABS_X":
				s.x = e.GetNormalized()
			case "ABS_Y":
				s.y = e.GetNormalized()
			}
		}
		s.mu.Unlock()
	}
	return err
}

// command mixes the two motors. Up is negative on gamepads.
func (s *stick) command() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf(`{"left": %.0f, "right": %.0f}`, -180*s.y+60*s.x, -180*s.y-60*s.x)
}
