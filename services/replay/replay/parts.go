package replay

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/services/replay/film"
	"github.com/waldo-robot/waldo/services/replay/hearing"
)

const (
	videoFrame = "waldo.media.v1.VideoFrame"
	audioFrame = "waldo.media.v1.AudioFrame"
	// video is the usual stream of a camera; its others are called video-….
	video = "video"
	// audio is the stream of a microphone.
	audio = "audio"
)

// taken are the streams and services of pictures and sound.
type taken struct{ streams, services map[string]bool }

func (t taken) add(service string, streams []string) {
	t.services[service] = true
	for _, name := range streams {
		t.streams[name] = true
	}
}

// newMedia makes what serves pictures and sound.
func (d *driver) newMedia() (taken, error) {
	t := taken{streams: map[string]bool{}, services: map[string]bool{}}
	if d.found.Foreign() {
		return t, d.newForeign()
	}
	if channels := d.pictures(); len(channels) > 0 {
		d.feed(film.New(d.kit, film.Config{Behind: d.found.behind(channels[0])}), channels)
		t.add(camerav1.CameraService_ServiceDesc.ServiceName, film.Streams())
	}
	if channels := d.sound(); len(channels) > 0 {
		d.feed(hearing.New(d.kit, hearing.Config{Channels: d.stereo(channels[0])}), channels)
		t.add(audiov1.AudioService_ServiceDesc.ServiceName, hearing.Streams())
	}
	return t, nil
}

// sound returns the channels from which a microphone is made.
func (d *driver) sound() (all []*play.Channel) {
	for _, c := range d.found.outs() {
		if c.Waldo.Type == audioFrame && c.Waldo.Stream == audio {
			all = append(all, c)
		}
	}
	return all
}

// stereo returns how many channels the sound has that a channel begins with.
func (d *driver) stereo(c *play.Channel) int {
	first, err := d.found.recording.Messages(0, 0, func(one *play.Channel) bool { return one == c }).Next()
	if err != nil {
		return 1
	}
	return hearing.Channels(first.Data)
}

// feed has a medium take channels.
func (d *driver) feed(m medium, channels []*play.Channel) {
	d.media = append(d.media, m)
	for _, c := range channels {
		d.feeds[c] = m
	}
}

// pictures returns the channels of the stream from which a camera is made: there are several if its media type has
// changed.
func (d *driver) pictures() []*play.Channel {
	named := map[string][]*play.Channel{}
	for _, c := range d.found.outs() {
		name := c.Waldo.Stream
		if c.Waldo.Type == videoFrame && (name == video || strings.HasPrefix(name, video+"-")) &&
			!d.found.info(name).GetSmall() {
			named[name] = append(named[name], c)
		}
	}
	if usual := named[video]; usual != nil {
		return usual
	}
	for _, c := range d.found.outs() { // in the order of the device
		if channels := named[c.Waldo.Stream]; channels != nil {
			return channels
		}
	}
	return nil
}

// newOutputs defines the streams that are published byte for byte, and the services.
func (d *driver) newOutputs(taken taken) error {
	for _, c := range d.found.outs() {
		name := c.Waldo.Stream
		if taken.streams[name] {
			continue
		}
		if i := slices.IndexFunc(d.outputs, func(o *output) bool { return o.name == name }); i >= 0 {
			d.again(d.outputs[i], c)
			continue
		}
		o, err := newOutput(d.kit, d.found, c, func(other string) bool {
			return taken.streams[other] || slices.ContainsFunc(d.outputs, func(o *output) bool { return o.name == other })
		})
		if err != nil {
			return robot.BadField("files", "%v", err)
		}
		d.streams[c] = o
		d.outputs = append(d.outputs, o)
	}
	d.newServices(taken)
	return nil
}

// newServices defines the services that are served by their definitions.
func (d *driver) newServices(taken taken) {
	services, left := d.found.sets.services()
	for _, name := range left {
		d.kit.Log.Warn("a service is left out: the device became another version, whose definitions clash with its own",
			"service", name)
	}
	m := &methods{device: d.kit.Address().Device, recording: d.found.name, outputs: d.outputs, answered: d.answered}
	for _, s := range services {
		if !taken.services[string(s.FullName())] {
			d.kit.RegisterDefined(s, m)
		}
	}
}

// answered returns what a method answered last at this place of the recording, nil if that was not recorded.
func (d *driver) answered(method protoreflect.MethodDescriptor) (proto.Message, error) {
	service := method.Parent().(protoreflect.ServiceDescriptor) // by definition
	data, found := d.found.said.At(d.place(), descriptors.MethodName(method))
	set := d.found.sets.of(service)
	if !found || set == nil {
		return nil, nil
	}
	return set.Parse(method.Output(), data)
}

// place is where the player is, as a time of the recording.
func (d *driver) place() time.Time {
	d.mu.Lock()
	source := d.source
	d.mu.Unlock()
	place := time.Duration(0)
	if source != nil {
		if clock, known, _ := source.Newest(); known {
			place = clock.Place(boottime.Now())
		}
	}
	return d.found.recording.Begin().Add(place)
}

// again has a stream take another channel of its name, which it has because something has changed between two files.
// One with messages of another type is left out: a stream has one.
func (d *driver) again(o *output, c *play.Channel) {
	if c.Waldo.Type == string(o.message.FullName()) {
		d.streams[c] = o
		return
	}
	d.kit.Log.Warn("a stream has changed its type; messages of the later one are left out", "stream", o.name, "type",
		c.Waldo.Type)
}
