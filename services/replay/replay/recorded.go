package replay

import (
	"errors"
	"fmt"
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
	"github.com/waldo-robot/waldo/recording/play"
)

// recorded is a device of a recording.
type recorded struct {
	play.Device
	recording *play.Recording
	name      string           // of the recording
	about     *devicev1.Device // its last state; nil if there is none
	set       *descriptors.Set // what it said of its services and messages; nil if it is not in the recording
	problem   error            // why set is nil, although the recording should have it
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
	state := d.channel(recording.State, "")
	if state != nil {
		m, found, err := d.recording.Last(state, d.recording.Duration())
		if err != nil {
			return err
		}
		if about := (&devicev1.Device{}); found && proto.Unmarshal(m.Data, about) == nil {
			d.about = about
		}
	}
	data, err := d.recording.Attachment("descriptors/" + d.Name)
	if err != nil || data == nil {
		return err
	}
	d.set, d.problem = definitions(data)
	return nil
}

// definitions reads what a device said of its services and messages.
func definitions(data []byte) (*descriptors.Set, error) {
	said := &devicev1.GetDescriptorsResponse{}
	if err := proto.Unmarshal(data, said); err != nil {
		return nil, fmt.Errorf("its definitions: %w", err)
	}
	return descriptors.New(said.GetFiles(), said.GetServices())
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
	if d.set != nil {
		if m, err := d.set.Message(c.Waldo.Type); err == nil {
			return m, nil
		}
	}
	set, err := descriptors.New(c.Waldo.Files, nil)
	if err != nil {
		return nil, fmt.Errorf("channel %s: its %w", c.Topic, err)
	}
	return set.Message(c.Waldo.Type)
}

// services returns the services that the device had, but for the one that all devices have.
func (d *recorded) services() (services []protoreflect.ServiceDescriptor) {
	if d.set == nil {
		return nil
	}
	for _, m := range d.set.Methods() {
		s, ok := m.Parent().(protoreflect.ServiceDescriptor)
		if ok && !strings.HasPrefix(string(s.FullName()), "waldo.device.") &&
			!strings.HasPrefix(string(s.FullName()), "grpc.") && !slices.Contains(services, s) {
			services = append(services, s)
		}
	}
	return services
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
