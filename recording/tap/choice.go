package tap

import (
	"fmt"
	"strings"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording"
)

// messages is what stands in a list of names for the messages between pages and programs; no device has this name.
const messages = "msg"

// Choice is which streams are read.
type Choice struct {
	all     bool
	devices map[string]bool            // whole devices
	streams map[string]map[string]bool // some streams of a device
}

// Choose reads a list of devices (front) and streams (motors/rx); msg are the messages between pages and programs,
// msg/chat those of one topic. An empty list means everything. The error is one of [robot.BadField] about the key
// `record`.
func Choose(names []string) (Choice, error) {
	c := Choice{all: len(names) == 0, devices: map[string]bool{}, streams: map[string]map[string]bool{}}
	for i, name := range names {
		device, stream, one := strings.Cut(name, "/")
		if device == "" || one && stream == "" || strings.Contains(stream, "/") {
			return c, robot.BadField(fmt.Sprintf("record[%d]", i),
				"%q is neither a device nor a stream of one: write for example front, or motors/rx", name)
		}
		if !one {
			c.devices[device] = true
			continue
		}
		if c.streams[device] == nil {
			c.streams[device] = map[string]bool{}
		}
		c.streams[device][stream] = true
	}
	return c, nil
}

// Of returns those of the streams that are chosen. The states of a device are chosen with any stream of it. Streams
// with the content of another one in another form (StreamInfo.alternative_to) are chosen only by their own names, and
// so are pictures that a device is sent, because it passes them on as its own.
func (c Choice) Of(streams []Stream) []Stream {
	var chosen []Stream
	for _, s := range streams {
		if c.chosen(s) {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

func (c Choice) chosen(s Stream) bool {
	device, name := s.Channel.Device, s.Channel.Stream
	switch {
	case c.streams[device][name]:
		return true
	case s.Channel.Direction == recording.State:
		return c.all || c.devices[device] || c.streams[device] != nil
	case s.Channel.Direction == recording.In && s.Channel.Type == videoType:
		return false
	default:
		return (c.all || c.devices[device]) && s.Info.GetAlternativeTo() == ""
	}
}

// Topics reports whether messages of any topic are chosen.
func (c Choice) Topics() bool { return c.all || c.devices[messages] || c.streams[messages] != nil }

// Topic reports whether messages of a topic are chosen.
func (c Choice) Topic(name string) bool {
	return c.all || c.devices[messages] || c.streams[messages][name]
}
