package replay

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/answers"
	"github.com/waldo-robot/waldo/recording/play"
)

// recorded is a device of a recording.
type recorded struct {
	play.Device
	recording *play.Recording
	name      string           // of the recording
	about     *devicev1.Device // its last state; nil if there is none
	first     *devicev1.Device // its first state; likewise
	sets      definitions      // what it said of its services and messages
	said      answers.Sheets   // what it answered
	silent    []*play.Channel  // its streams, if it never said anything but its state
	problem   error            // what of this cannot be read
}

// find opens a recording, and finds a device in it.
func find(files []string, name string) (*recorded, error) {
	r, err := play.Open(files...)
	if err != nil {
		return nil, robot.BadField("files", "%v", err)
	}
	devices, _ := r.Devices()
	i := slices.IndexFunc(devices, func(d play.Device) bool { return d.Name == name })
	if i < 0 {
		var names []string
		for _, d := range devices {
			names = append(names, d.Name)
		}
		return nil, errors.Join(robot.BadField("as", "the recording has no device %q; it has %s", name,
			strings.Join(names, ", ")), r.Close())
	}
	d := &recorded{Device: devices[i], recording: r, name: filepath.Base(files[0])}
	if err := d.describe(); err != nil {
		return nil, errors.Join(robot.BadField("files", "%v", err), r.Close())
	}
	return d, nil
}

// describe reads what the recording says of the device.
func (d *recorded) describe() error {
	if err := d.states(); err != nil {
		return err
	}
	defined, err := d.recording.Attachments("descriptors/" + d.Name)
	if err != nil {
		return err
	}
	said, err := d.recording.Attachments(answers.Name(d.Name))
	if err != nil {
		return err
	}
	var wrong [2]error
	d.sets, wrong[0] = newDefinitions(defined)
	d.said, wrong[1] = answers.ParseAll(said)
	d.problem = errors.Join(wrong[:]...)
	d.silence()
	return nil
}

// states reads the first and the last state.
func (d *recorded) states() error {
	state := d.channel(recording.State, "")
	if state == nil {
		return nil
	}
	first, err := d.recording.Messages(0, 0, func(c *play.Channel) bool { return c == state }).Next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	last, _, err := d.recording.Last(state, d.recording.Duration())
	if err != nil {
		return err
	}
	for m, about := range map[*play.Message]**devicev1.Device{&first: &d.first, &last: &d.about} {
		if read := (&devicev1.Device{}); proto.Unmarshal(m.Data, read) == nil {
			*about = read
		}
	}
	return nil
}

// silence finds the streams of a device that said nothing but its state, because it was away all the time: it has them
// still.
func (d *recorded) silence() {
	if d.Foreign() ||
		slices.ContainsFunc(d.Channels, func(c *play.Channel) bool { return c.Waldo.Direction == recording.Out }) {
		return
	}
	for _, s := range d.about.GetStreams() {
		if s.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_OUT || d.sets.message(s.GetMessageType()) == nil {
			continue
		}
		c := &play.Channel{Waldo: recording.Channel{Device: d.Name, Kind: d.Kind, Stream: s.GetName(),
			Direction: recording.Out, Type: s.GetMessageType()}}
		c.Topic = c.Waldo.Name()
		if types := s.GetMediaTypes(); len(types) > 0 {
			c.Waldo.Media = types[0]
		}
		d.silent = append(d.silent, c)
	}
}

// otherKinds are those that the device had beside the one that it is replayed as, sorted.
func (d *recorded) otherKinds() (others []string) {
	for _, c := range d.Channels {
		if kind := c.Waldo.Kind; kind != "" && kind != d.Kind && !slices.Contains(others, kind) {
			others = append(others, kind)
		}
	}
	slices.Sort(others)
	return others
}

// channel returns a channel of the device, nil if there is none.
func (d *recorded) channel(direction recording.Direction, stream string) *play.Channel {
	for _, c := range d.Channels {
		if c.Waldo.Direction == direction && c.Waldo.Stream == stream {
			return c
		}
	}
	return nil
}

// outs returns the channels of what the device produced: those that it announced in its order, then all others.
func (d *recorded) outs() (outs []*play.Channel) {
	if d.silent != nil {
		return d.silent
	}
	for _, s := range d.about.GetStreams() {
		c := d.channel(recording.Out, s.GetName())
		if c != nil && s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_OUT && !slices.Contains(outs, c) {
			outs = append(outs, c)
		}
	}
	for _, c := range d.Channels {
		if c.Waldo.Direction == recording.Out && !slices.Contains(outs, c) {
			outs = append(outs, c)
		}
	}
	return outs
}

// info is what the device announced of a stream; empty if it did not.
func (d *recorded) info(stream string) *devicev1.StreamInfo {
	for _, s := range d.about.GetStreams() {
		if s.GetName() == stream && s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_OUT {
			return s
		}
	}
	return &devicev1.StreamInfo{}
}

// message returns the definition of a channel's messages.
func (d *recorded) message(c *play.Channel) (protoreflect.MessageDescriptor, error) {
	if m := d.sets.message(c.Waldo.Type); m != nil {
		return m, nil
	}
	set, err := descriptors.New(c.Waldo.Files, nil)
	if err != nil {
		return nil, fmt.Errorf("channel %s: its %w", c.Topic, err)
	}
	return set.Message(c.Waldo.Type)
}

// attributes are those that the device had at a time, and what it is now.
func (d *recorded) attributes(about *devicev1.Device) map[string]string {
	all := map[string]string{device.ReplayAttribute: d.name, "recorded_version": about.GetVersion()}
	for key, value := range about.GetAttributes() {
		if _, own := all[key]; !own {
			all[key] = value
		}
	}
	if s := about.GetState(); about != nil && s != devicev1.DeviceState_DEVICE_STATE_READY {
		text := strings.ToLower(strings.TrimPrefix(s.String(), "DEVICE_STATE_"))
		if why := about.GetStateReason(); why != "" {
			text += ": " + why
		}
		all["recorded_state"] = text
	}
	return all
}
