package evdev

import (
	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// maxEvents bounds the events of one report. See the package comment.
const maxEvents = 512

// outcome is the effect of an event on its group.
type outcome int

const (
	pending  outcome = iota // the group continues
	complete                // it is complete, and in intake.group
	lost                    // the kernel lost events, and those that follow are complete again: the state has to be read
)

// intake assembles the kernel's events into groups. The zero value begins a group.
type intake struct {
	group    []source.Event // valid after complete, until the next event
	ended    bool           // group was reported, and is to be started over
	dropping bool           // events are skipped up to the next SYN_REPORT
}

func (in *intake) take(e linux.InputEvent) outcome {
	if in.ended {
		in.group, in.ended = in.group[:0], false
	}
	switch {
	case e.Type == linux.EV_SYN && e.Code == linux.SYN_DROPPED:
		in.drop()
	case e.Type == linux.EV_SYN && e.Code == linux.SYN_REPORT:
		return in.end()
	case in.dropping:
	case len(in.group) == maxEvents:
		in.drop()
	default:
		in.group = append(in.group, source.Event{Type: e.Type, Code: e.Code, Value: e.Value})
	}
	return pending
}

func (in *intake) drop() { in.group, in.dropping = in.group[:0], true }

func (in *intake) end() outcome {
	switch {
	case in.dropping:
		in.dropping = false
		return lost
	case len(in.group) == 0:
		return pending
	}
	in.ended = true
	return complete
}
