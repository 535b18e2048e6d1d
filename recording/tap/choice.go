package tap

import (
	"fmt"
	"strings"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// Choice is which streams are recorded.
type Choice struct {
	all     bool
	devices map[string]bool            // whole devices
	streams map[string]map[string]bool // some streams of a device
}

// Choose reads a list of devices (front) and streams (motors/rx); an empty one means everything.
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

// device reports whether anything of a device is recorded.
func (c Choice) device(name string) bool { return c.all || c.devices[name] || c.streams[name] != nil }

// stream reports whether a stream is recorded that was named, or that is one of a device that was.
func (c Choice) stream(device, stream string) bool {
	return c.all || c.devices[device] || c.streams[device][stream]
}

// named reports whether a stream was named itself.
func (c Choice) named(device, stream string) bool { return c.streams[device][stream] }
