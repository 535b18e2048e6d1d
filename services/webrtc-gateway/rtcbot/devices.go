package rtcbot

import (
	"context"
	"slices"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// Directory knows the robot's devices.
type Directory interface {
	// List returns all known devices, and a channel that is closed when the list is out of date.
	List() (*signalingv1.DeviceList, <-chan struct{})
}

// Devices are those that clients get. Empty: the first that fits, of the order in which the robot's file names them.
type Devices struct {
	// Camera is shown in the first section of video; the other cameras follow in the next ones.
	Camera string
	// Microphone is what clients hear.
	Microphone string
	// Speaker says what clients say.
	Speaker string
	// Publish shows and says what clients send, as a device of its own.
	Publish string
}

// cast is what a client gets.
type cast struct {
	cameras                      []string
	microphone, speaker, publish string // empty: none
}

// descriptionPatience is how long a client waits for the devices that have not described themselves yet, as after a
// start of the robot: devices do so once a second.
const descriptionPatience = 1500 * time.Millisecond

// find chooses the devices for a client with these sections.
func (g *Gateway) find(ctx context.Context, sections []rtc.Section) cast {
	ctx, cancel := context.WithTimeout(ctx, descriptionPatience)
	defer cancel()
	for {
		list, changed := g.directory.List()
		found, complete := g.choose(list.GetDevices())
		if complete || found.satisfies(sections) {
			return found
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return found
		}
	}
}

// satisfies reports whether nothing that a client offers to receive is missing.
func (c cast) satisfies(sections []rtc.Section) bool {
	videos := 0
	for _, s := range sections {
		switch {
		case !s.Receives:
		case s.Media == rtc.Video:
			videos++
		case s.Media == rtc.Audio && c.microphone == "":
			return false
		}
	}
	return videos <= len(c.cameras)
}

// choose picks from the known devices; complete reports whether all of them have described themselves.
func (g *Gateway) choose(known []*signalingv1.DeviceStatus) (c cast, complete bool) {
	c = cast{microphone: g.wanted.Microphone, speaker: g.wanted.Speaker, publish: g.wanted.Publish}
	if g.wanted.Camera != "" {
		c.cameras = []string{g.wanted.Camera}
	}
	complete = len(known) > 0
	first := func(chosen *string, name string, fits bool) {
		if *chosen == "" && fits {
			*chosen = name
		}
	}
	for _, s := range g.inOrder(known) {
		d := s.GetDevice()
		complete = complete && len(d.GetStreams()) > 0
		slot := has(d, rtc.Camera, in) || has(d, rtc.Microphone, in)
		if has(d, rtc.Video, out) && !slot && d.GetName() != g.wanted.Camera {
			c.cameras = append(c.cameras, d.GetName())
		}
		first(&c.microphone, d.GetName(), has(d, rtc.Audio, out) && !slot)
		first(&c.speaker, d.GetName(), has(d, rtc.Speaker, in))
		first(&c.publish, d.GetName(), slot)
	}
	return c, complete
}

const (
	in  = devicev1.StreamDirection_STREAM_DIRECTION_IN
	out = devicev1.StreamDirection_STREAM_DIRECTION_OUT
)

func has(d *devicev1.Device, stream string, direction devicev1.StreamDirection) bool {
	return slices.ContainsFunc(d.GetStreams(), func(s *devicev1.StreamInfo) bool {
		return s.GetName() == stream && s.GetDirection() == direction
	})
}

// inOrder puts the devices in the order of the robot's file; others follow.
func (g *Gateway) inOrder(known []*signalingv1.DeviceStatus) []*signalingv1.DeviceStatus {
	place := func(s *signalingv1.DeviceStatus) int {
		if i := slices.Index(g.order, s.GetDevice().GetName()); i >= 0 {
			return i
		}
		return len(g.order)
	}
	ordered := slices.Clone(known)
	slices.SortStableFunc(ordered, func(a, b *signalingv1.DeviceStatus) int { return place(a) - place(b) })
	return ordered
}
