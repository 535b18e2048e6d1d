package evdev

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	linux "github.com/holoplot/go-evdev"
)

// decode turns bytes into events: which event, and how often it comes.
func decode(data []byte) (events []linux.InputEvent) {
	for i := 0; i+1 < len(data); i += 2 {
		e := map[byte]linux.InputEvent{
			0: syn(linux.SYN_REPORT), 1: syn(linux.SYN_DROPPED), 2: key(linux.BTN_SOUTH, 1), 3: abs(linux.ABS_X, 7),
			4: syn(linux.SYN_MT_REPORT), 5: {Type: 0xffff, Code: 0xffff, Value: -1},
		}[data[i]%6]
		for range int(data[i+1])*3 + 1 {
			e.Value = int32(len(events)) // so that they can be told apart
			events = append(events, e)
		}
	}
	return events
}

// expected is what the package comment promises, computed from all events at once.
func expected(events []linux.InputEvent) (told []string) {
	var group []string
	dropped := false
	for _, e := range events {
		switch {
		case e.Type == linux.EV_SYN && e.Code == linux.SYN_DROPPED:
			dropped = true
		case e.Type != linux.EV_SYN || e.Code != linux.SYN_REPORT:
			group = append(group, text(e))
		default:
			switch {
			case dropped || len(group) > maxEvents:
				told = append(told, "lost")
			case len(group) > 0:
				told = append(told, fmt.Sprint(group))
			}
			group, dropped = nil, false
		}
	}
	return told
}

func text(e linux.InputEvent) string { return fmt.Sprint(e.Type, e.Code, e.Value) }

var intakeCases = map[string][]byte{
	"nothing":                     {},
	"empty groups":                {0, 2},
	"one event":                   {2, 0, 0, 0},
	"two groups":                  {2, 0, 3, 0, 0, 0, 2, 0, 4, 0, 0, 0},
	"no end":                      {2, 0, 3, 0},
	"dropped first":               {1, 0, 2, 0, 0, 0, 2, 0, 0, 0},
	"dropped in a group":          {2, 0, 1, 0, 3, 0, 0, 0, 2, 0, 0, 0},
	"dropped at the end":          {2, 0, 0, 0, 1, 0},
	"dropped twice":               {1, 0, 1, 0, 0, 0, 1, 0, 0, 0},
	"nothing after dropped":       {1, 0, 0, 0},
	"as long as a group may be":   {2, 170, 3, 0, 0, 0},
	"longer than a group may be":  {2, 170, 3, 0, 3, 0, 0, 0, 2, 0, 0, 0},
	"very long":                   {2, 255, 2, 255, 2, 255, 3, 255, 0, 0, 2, 0, 0, 0},
	"too long, and dropped in it": {2, 255, 1, 0, 2, 255, 0, 0},
	"unknown events, and marks":   {5, 0, 4, 0, 0, 0},
}

func checkIntake(t *testing.T, data []byte) {
	events := decode(data)
	var in intake
	var told []string
	for _, e := range events {
		switch in.take(e) {
		case complete:
			group := make([]string, len(in.group))
			for i, g := range in.group {
				group[i] = text(linux.InputEvent{Type: g.Type, Code: g.Code, Value: g.Value})
			}
			told = append(told, fmt.Sprint(group))
		case lost:
			told = append(told, "lost")
		}
		if cap(in.group) > 2*maxEvents {
			t.Fatalf("%d events are kept", cap(in.group))
		}
	}
	if want := expected(events); !slices.Equal(told, want) {
		t.Errorf("reported %v, want %v", told, want)
	}
}

func TestIntake(t *testing.T) {
	for name, data := range intakeCases {
		t.Run(name, func(t *testing.T) { checkIntake(t, data) })
	}
}

// FuzzIntake checks any order of events against a description of the result.
func FuzzIntake(f *testing.F) {
	for _, data := range intakeCases {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkIntake(t, bytes.Clone(data[:min(len(data), 64)])) })
}
