package foxglove

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// logTopic is the channel of what happens to the robot, logSchema the type of its messages.
	logTopic, logSchema = "/log", "foxglove.Log"
	// keptLog is how many of them a new client gets.
	keptLog = 100
	// controlQueue is how many states of an actuator may wait.
	controlQueue = 64
)

// logLevel is how much a log message matters.
type logLevel uint64

const (
	logInfo  logLevel = 2
	logWarn  logLevel = 3
	logError logLevel = 4
)

// Numbers of the fields of a log message.
const (
	logTimestamp = 1
	logLevelIs   = 2
	logMessage   = 3
	logName      = 4
)

// logDefinition is the schema of log messages.
func logDefinition() []byte {
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, of string,
	) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if of != "" {
			f.TypeName = &of
		}
		return f
	}
	level := &descriptorpb.EnumDescriptorProto{Name: proto.String("Level")}
	for i, name := range []string{"UNKNOWN", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"} {
		level.Value = append(level.Value, &descriptorpb.EnumValueDescriptorProto{Name: &name, Number: proto.Int32(int32(i))})
	}
	const text = descriptorpb.FieldDescriptorProto_TYPE_STRING
	message := &descriptorpb.DescriptorProto{
		Name: proto.String("Log"), EnumType: []*descriptorpb.EnumDescriptorProto{level},
		Field: []*descriptorpb.FieldDescriptorProto{
			field("timestamp", logTimestamp, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, ".google.protobuf.Timestamp"),
			field("level", logLevelIs, descriptorpb.FieldDescriptorProto_TYPE_ENUM, ".foxglove.Log.Level"),
			field("message", logMessage, text, ""), field("name", logName, text, ""), field("file", 5, text, ""),
			field("line", 6, descriptorpb.FieldDescriptorProto_TYPE_FIXED32, ""),
		},
	}
	timestamps := protodesc.ToFileDescriptorProto(timestamppb.File_google_protobuf_timestamp_proto)
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{timestamps, {
		Name: proto.String("foxglove/Log.proto"), Package: proto.String("foxglove"), Syntax: proto.String("proto3"),
		Dependency: []string{timestamps.GetName()}, MessageType: []*descriptorpb.DescriptorProto{message},
	}}}
	data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(set) // it is well formed
	return data
}

// encodeLog is a log message of a device at a time.
func encodeLog(at time.Time, l logLevel, device, text string) []byte {
	when, _ := proto.Marshal(timestamppb.New(at)) // it is well formed
	data := protowire.AppendTag(nil, logTimestamp, protowire.BytesType)
	data = protowire.AppendBytes(data, when)
	data = protowire.AppendTag(data, logLevelIs, protowire.VarintType)
	data = protowire.AppendVarint(data, uint64(l))
	data = protowire.AppendTag(data, logMessage, protowire.BytesType)
	data = protowire.AppendString(data, text)
	data = protowire.AppendTag(data, logName, protowire.BytesType)
	return protowire.AppendString(data, device)
}

// say publishes a log message now.
func (f *feed) say(l logLevel, device, text string) {
	now := f.view.now()
	f.publish(message{at: stamp(now), data: encodeLog(now, l, device, text)})
}

// follow tells what happens to the devices of the robot, until ctx ends: their problems, who drives, and e-stops.
func (v *view) follow(ctx context.Context, f *feed) {
	var actuators sync.WaitGroup
	defer actuators.Wait()
	told := map[string]string{}                  // by device
	listening := map[string]context.CancelFunc{} // by actuator
	defer func() {
		for _, stop := range listening {
			stop()
		}
	}()
	for {
		list, changed := v.directory.List()
		known := map[string]bool{}
		for _, s := range list.GetDevices() {
			d := s.GetDevice()
			known[d.GetName()] = true
			before, seen := told[d.GetName()]
			l, text := problemOf(s)
			if text != before && (seen || l != logInfo) {
				f.say(l, d.GetName(), text)
			}
			told[d.GetName()] = text
			if name := controlOf(d); name != "" && listening[d.GetName()] == nil {
				one, stop := context.WithCancel(ctx)
				listening[d.GetName()] = stop
				actuators.Go(func() { v.followActuator(one, f, d.GetName(), name) })
			}
		}
		for name, stop := range listening {
			if !known[name] {
				stop()
				delete(listening, name)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// problemOf tells how a device is.
func problemOf(s *signalingv1.DeviceStatus) (logLevel, string) {
	d := s.GetDevice()
	text := stateOf(s)
	if d.GetStateReason() != "" && !s.GetGone() {
		text += ": " + d.GetStateReason()
	}
	switch {
	case s.GetGone():
		return logError, "gone: its process does not answer"
	case d.GetState() == devicev1.DeviceState_DEVICE_STATE_AWAY:
		return logError, text
	case d.GetStateReason() != "":
		return logWarn, text
	}
	return logInfo, text
}

// controlState is the type of the messages in which an actuator says who may command it.
var controlState = string((&controlv1.ControlState{}).ProtoReflect().Descriptor().FullName())

// controlOf returns the stream on which a device says so; empty if it is no actuator.
func controlOf(d *devicev1.Device) string {
	for _, s := range d.GetStreams() {
		if s.GetMessageType() == controlState && s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_OUT {
			return s.GetName()
		}
	}
	return ""
}

// followActuator tells who drives an actuator, and of its e-stops, until ctx ends.
func (v *view) followActuator(ctx context.Context, f *feed, device, name string) {
	address := bus.Address{Robot: v.robot, Device: device}
	states, err := bus.Subscribe[*controlv1.ControlState](v.conn, address.Out(name), stream.DropOldest(controlQueue))
	if err != nil {
		return // the bus is gone
	}
	defer states.Close()
	defer v.conn.Hold(address, name, "foxglove").Close()
	var was *controlv1.ControlState
	for now, err := range states.All(ctx) {
		if err != nil {
			return
		}
		tellControl(was, now, func(l logLevel, text string) { f.say(l, device, text) })
		was = now
	}
}

// tellControl tells what has changed about an actuator; of the first state what is worth it.
func tellControl(was, now *controlv1.ControlState, say func(logLevel, string)) {
	if pressed := now.GetEStop(); pressed.GetId() != was.GetEStop().GetId() {
		switch {
		case pressed == nil:
			say(logInfo, "the e-stop is cleared")
		case pressed.GetReason() == "":
			say(logError, fmt.Sprintf("e-stop by %s", pressed.GetBy()))
		default:
			say(logError, fmt.Sprintf("e-stop by %s: %s", pressed.GetBy(), pressed.GetReason()))
		}
	}
	if holder := now.GetHolder(); holder != was.GetHolder() {
		if holder == "" {
			say(logInfo, fmt.Sprintf("nobody drives; before: %s", was.GetHolder()))
		} else {
			say(logInfo, holder+" drives")
		}
	}
	if why := stopped(was, now); why != "" {
		say(logWarn, "stopped: "+why)
	}
}

// stopped says why an actuator that was driven has stopped by itself; empty if it has not.
func stopped(was, now *controlv1.ControlState) string {
	if was.GetPhase() != controlv1.ControlPhase_CONTROL_PHASE_DRIVING ||
		now.GetPhase() == controlv1.ControlPhase_CONTROL_PHASE_DRIVING {
		return ""
	}
	switch now.GetCause() {
	case controlv1.SafeCause_SAFE_CAUSE_DEADMAN:
		return "no command came in time"
	case controlv1.SafeCause_SAFE_CAUSE_LEASE_LAPSED:
		return "the driver gave no sign of life"
	case controlv1.SafeCause_SAFE_CAUSE_BLIND:
		return "the driver saw no picture that is new enough"
	case controlv1.SafeCause_SAFE_CAUSE_AWAY:
		return "the hardware is away"
	default:
		return ""
	}
}
