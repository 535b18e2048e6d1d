package play

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/foreign"
)

// Device is a device of a recording.
type Device struct {
	Name string // in a recording of another program it is made of the topic
	Kind string // may be empty
	// Channels are what it produced, and its states, by topic; those of another program's recording have one.
	Channels []*Channel
}

// Foreign reports whether the device is a channel of another program.
func (d Device) Foreign() bool { return d.Channels[0].Foreign() }

// Devices returns what can be replayed, by name, and the channels of other devices and programs, which are left out.
func (r *Recording) Devices() (devices []Device, left []*Channel) {
	at := map[string]int{}
	var foreign []*Channel
	for _, c := range r.Channels() {
		switch {
		case c.Foreign():
			foreign = append(foreign, c)
			continue
		case c.Waldo.Direction == recording.Topic:
			continue // the player's
		case !recording.Replayed(c.Waldo.Kind):
			left = append(left, c)
			continue
		case c.Waldo.Direction != recording.Out && c.Waldo.Direction != recording.State:
			continue // what it was sent
		}
		i, known := at[c.Waldo.Device]
		if !known {
			i = len(devices)
			at[c.Waldo.Device] = i
			devices = append(devices, Device{Name: c.Waldo.Device})
		}
		d := &devices[i]
		d.Channels = append(d.Channels, c)
		if d.Kind == "" {
			d.Kind = c.Waldo.Kind
		}
	}
	for _, c := range foreign {
		kind := foreignKind(c)
		name := nameOf(c.Topic, func(name string) bool { _, taken := at[name]; return taken })
		if kind == "" || name == "" {
			left = append(left, c)
			continue
		}
		at[name] = len(devices)
		devices = append(devices, Device{Name: name, Kind: kind, Channels: []*Channel{c}})
	}
	slices.SortFunc(devices, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	return devices, left
}

// foreignKind is the kind of device that can replay a channel of another program; empty if none can.
func foreignKind(c *Channel) string {
	if c.Count == 0 || CheckForeign(c) != nil {
		return ""
	}
	if foreign.KindOf(c.Schema.Name) == foreign.Audio {
		return "audio"
	}
	return "camera"
}

// CheckForeign says why no device can replay a channel of another program; nil: one can.
func CheckForeign(c *Channel) error {
	if c.Encoding != recording.Protobuf {
		return fmt.Errorf("its messages are %.32q: record them as protobuf", c.Encoding)
	}
	_, err := foreign.New(c.Schema)
	return err
}

// nameOf makes the name of a device of a topic: /camera/front becomes camera-front.
func nameOf(topic string, taken func(string) bool) string {
	const longest = 56
	var b strings.Builder
	for _, c := range strings.ToLower(topic) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	base := b.String()
	base = strings.Trim(base[:min(len(base), longest)], "-")
	if base == "" {
		base = "camera"
	}
	name := base
	for n := 2; taken(name) || reserved(name); n++ {
		if n > 1000 {
			return ""
		}
		name = base + "-" + strconv.Itoa(n)
	}
	return name
}

// reserved reports whether no device may have a name.
func reserved(name string) bool { return robot.CheckDeviceName(name) != nil || name == "player" }
