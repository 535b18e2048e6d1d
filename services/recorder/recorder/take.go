package recorder

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/tap"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

// The streams of a recorder.
const (
	recorderStream = "recorder"
	marksStream    = "marks"
)

// Names of message types that are told apart.
var (
	videoType   = typeOf(&mediav1.VideoFrame{})
	controlType = typeOf(&controlv1.ControlState{})
)

func typeOf(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }

// listening reports whether what is chosen is to be read.
func (r *recorder) listening() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reel != nil || r.buffer != nil
}

// chosen are the streams that are recorded. The recorder's own are written without the bus.
func (r *recorder) chosen(streams []tap.Stream) []tap.Stream {
	return slices.DeleteFunc(r.config.choice.Of(streams), func(s tap.Stream) bool {
		return s.Channel.Device == r.kit.Address().Device
	})
}

// take records a message, or keeps it for the pre-roll.
func (r *recorder) take(e *ear, m tap.Message) {
	now := time.Now()
	e.hear(m, now)
	if isControl(m.Channel) {
		r.control(m, now)
	}
	if !e.recorded.Load() {
		return
	}
	r.metrics.messages.Inc()
	r.metrics.bytes.Add(float64(len(m.Data)))
	r.put(reel.Message{Channel: m.Channel, At: now, Captured: m.Facts.Captured, Sequence: m.Facts.Sequence,
		Key: m.Facts.Key, Data: m.Data})
}

func (r *recorder) put(m reel.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.reel != nil:
		if r.reel.Write(m) != nil {
			r.lost++ // the recording tells why
		}
	case r.buffer != nil:
		r.buffer.Add(m)
	}
}

// control takes what an actuator says of who drives it.
func (r *recorder) control(m tap.Message, now time.Time) {
	if !r.config.OnEStop && r.config.When != whenDriven {
		return
	}
	var s controlv1.ControlState
	if proto.Unmarshal(m.Data, &s) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed, pressed := r.drives.heard(m.Channel.Device, &s, now)
	if pressed {
		r.pressed(now)
	}
	if changed || pressed {
		r.poke()
	}
}

// ownChannel is that of a stream of the recorder.
func (r *recorder) ownChannel(name string, m proto.Message) *recording.Channel {
	d := m.ProtoReflect().Descriptor()
	described, _ := descriptors.Describe(0, nil, d) // fails for services only
	return &recording.Channel{Device: r.kit.Address().Device, Kind: "recorder", Stream: name, Direction: recording.Out,
		Type: string(d.FullName()), Files: described.GetFiles()}
}

// stateMessage puts the state on record. r.mu is held.
func (r *recorder) stateMessage(now time.Time) reel.Message {
	s := r.state(now)
	s.Recording = nil           // what it says is in the file
	data, _ := proto.Marshal(s) // it always can be
	return reel.Message{Channel: r.stateChannel, At: now, Data: data}
}

// lostNow is how many messages were lost since the process started. r.mu is held.
func (r *recorder) lostNow() int64 {
	lost := r.lost + int64(r.ears.lostAll())
	if current := cmp.Or(r.reel, r.ending); current != nil {
		lost += int64(current.Stats().Lost)
	}
	return lost
}

// state describes what the recorder does. r.mu is held.
func (r *recorder) state(now time.Time) *recorderv1.RecorderState {
	s := &recorderv1.RecorderState{
		Epoch: r.kit.Epoch(), Phase: recorderv1.RecorderPhase_RECORDER_PHASE_IDLE, Problem: r.problem,
		FreeBytes: max(r.free, 0),
		LostCount: r.lostNow(),
	}
	current := cmp.Or(r.reel, r.ending)
	switch {
	case current != nil:
		s.Phase = recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING
		s.Recording, s.StartedBy = r.summary(current, current.Stats()), r.session.by
	case r.problem != "":
		s.Phase = recorderv1.RecorderPhase_RECORDER_PHASE_FAILED
	default:
		s.Problem = r.hindrance()
	}
	if r.buffer != nil && current == nil && r.config.Preroll > 0 {
		s.Preroll = durationpb.New(min(r.buffer.Length(now), r.config.Preroll))
	}
	streams, _ := r.tap.Streams()
	for _, one := range r.chosen(streams) {
		if one.Channel.Direction != recording.State {
			s.Streams = append(s.Streams, one.Channel.Device+"/"+one.Channel.Stream)
		}
	}
	return s
}

// hindrance is why a recording that somebody starts now would fail: the disk is full, and nothing is deleted for it;
// else empty. r.mu is held.
func (r *recorder) hindrance() string {
	k := r.config.Keep
	if needed := int64(k.Free) + leastRoom; r.free >= 0 && r.free < needed && k.Full == fullStop {
		return "nothing can be recorded: " + r.reader.TooLittle(r.free, needed).Error()
	}
	return ""
}

// summary describes the recording that is being written. r.mu is held.
func (r *recorder) summary(current *reel.Reel, s reel.Stats) *recorderv1.Recording {
	one := &recorderv1.Recording{
		Name: current.Name(), StartTime: timestamppb.New(r.session.started), SizeBytes: s.Bytes,
		MessageCount: int64(s.Messages),
		Files:        s.Files, Devices: s.Devices, Marks: slices.Clone(r.session.marks), Open: true,
	}
	if !s.First.IsZero() {
		one.StartTime, one.Duration = timestamppb.New(s.First), durationpb.New(s.Last.Sub(s.First))
	}
	return one
}

// tell makes the state known, if something has changed, and while it records.
func (r *recorder) tell() {
	s := r.now()
	r.telling.Lock()
	defer r.telling.Unlock()
	if s.GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING || !alike(s, r.told) {
		r.told = s
		r.states.Publish(s)
	}
}

// alike compares states of a recorder that does not record. How much room there is, and how long the pre-roll, is told
// on occasion.
func alike(a, b *recorderv1.RecorderState) bool {
	if b == nil {
		return false
	}
	a, b = proto.CloneOf(a), proto.CloneOf(b)
	a.FreeBytes, a.Preroll, b.FreeBytes, b.Preroll = 0, nil, 0, nil
	if idle := recorderv1.RecorderPhase_RECORDER_PHASE_IDLE; a.GetPhase() == idle && b.GetPhase() == idle &&
		(a.GetProblem() == "") == (b.GetProblem() == "") {
		a.Problem, b.Problem = "", "" // it tells how much room there is
	}
	return proto.Equal(a, b)
}

// now is the state.
func (r *recorder) now() *recorderv1.RecorderState {
	r.measure()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state(time.Now())
}

// measure finds out how much of the disk is free.
func (r *recorder) measure() {
	free, err := folder.Free(r.path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.free = free
	}
}

// publish sends the state to the bus, now and on every change, until ctx ends.
func (r *recorder) publish(ctx context.Context) error {
	states := r.states.Subscribe(stream.Latest())
	defer states.Close()
	r.out.Publish(r.now())
	for s, err := range states.All(ctx) {
		if err != nil {
			break // ctx has ended
		}
		r.out.Publish(s)
	}
	return nil
}
