package main

import (
	"testing"
	"time"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
)

// step is what the pad reports, and the command some time later.
type step struct {
	state, resync bool
	x, y          float64
	after         time.Duration
	want          string
}

const stands = `{"left": 0, "right": 0}`

func TestStick(t *testing.T) {
	for name, steps := range map[string][]step{
		"moved and released": {
			{state: true, want: stands}, {y: -1, want: `{"left": 180, "right": 180}`},
			{x: 1, want: `{"left": 60, "right": -60}`}, {want: stands},
		},
		"held at the start": {
			{state: true, y: -1, want: stands}, {y: -0.9, after: time.Minute, want: stands}, {want: stands},
			{y: -1, want: `{"left": 180, "right": 180}`},
		},
		"held while the pad comes back": {
			{state: true, want: stands}, {y: -1, want: `{"left": 180, "right": 180}`}, {resync: true, want: stands},
			{resync: true, y: -1, want: stands}, {want: stands}, {y: -1, want: `{"left": 180, "right": 180}`},
		},
		"an axis that rests at its end": {
			{state: true, x: -1, want: stands}, {x: -1, y: -1, want: `{"left": 180, "right": 180}`},
		},
		"noise and drift": {{state: true, x: 0.08, y: -0.1, want: stands}, {x: 0.11, y: 0.1, want: stands}},
		"worn": {
			{state: true, x: 0.2, want: stands}, {x: 0.21, after: 2 * time.Second, want: stands},
			{x: 1, want: `{"left": 60, "right": -60}`},
			{x: 0.2, after: 2 * time.Second, want: stands},
		},
		"worn only after it was touched": {{state: true, want: stands}, {x: 1, want: `{"left": 60, "right": -60}`},
			{x: 0.24, after: 2 * time.Second, want: stands}},
		"held still": {{state: true, want: stands}, {y: -0.56, after: time.Hour, want: `{"left": 90, "right": 90}`}},
	} {
		t.Run(name, func(t *testing.T) {
			var s stick
			now := time.Unix(0, 0)
			for i, step := range steps {
				s.take(step.response(), now)
				s.command(now)
				now = now.Add(step.after)
				if got := s.command(now); got != step.want {
					t.Fatalf("step %d: %s, want %s", i, got, step.want)
				}
				now = now.Add(16 * time.Millisecond)
			}
		})
	}
}

func (s step) response() *inputv1.StreamReportsResponse {
	events := []*inputv1.Event{
		{Kind: inputv1.EventKind_EVENT_KIND_ABSOLUTE, Name: "ABS_X", Normalized: s.x},
		{Kind: inputv1.EventKind_EVENT_KIND_ABSOLUTE, Name: "ABS_Y", Normalized: s.y},
		{Kind: inputv1.EventKind_EVENT_KIND_ABSOLUTE, Name: "ABS_Z", Normalized: 1},
	}
	if s.state {
		return &inputv1.StreamReportsResponse{Body: &inputv1.StreamReportsResponse_State{State: &inputv1.State{Axes: events}}}
	}
	return &inputv1.StreamReportsResponse{Body: &inputv1.StreamReportsResponse_Report{Report: &inputv1.Report{Events: events, Resync: s.resync}}}
}
