package tap

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/recording"
)

// askTime bounds the question for definitions.
const askTime = 5 * time.Second

// lives is what is known of a device. Tap.mu guards it.
type lives struct {
	about       *devicev1.Device       // as it described itself last; nil: never
	streams     []*devicev1.StreamInfo // those of the life whose definitions are known
	now, before *life                  // nil: there was none
	state       *source                // of its states
	asking      bool
	failed      time.Time // when it did not give its definitions
	problem     string    // why, as it was logged
}

// life are the definitions of one life of a device.
type life struct {
	epoch       int64
	definitions []byte // waldo.device.v1.GetDescriptorsResponse
	files       map[string]*descriptorpb.FileDescriptorSet
	sources     map[string]*source // by streamKey
}

// streamKey tells the streams of a device apart.
func streamKey(d recording.Direction, stream string) string { return string(d) + " " + stream }

// ask gets the definitions of a device that has described itself.
func (t *Tap) ask(l *lives, d *devicev1.Device) {
	ctx, cancel := context.WithTimeout(t.ctx, askTime)
	defer cancel()
	// It is asked by means that are then forgotten: what they keep is many times as large as the answer.
	got, err := dynamic.New(t.conn, dynamic.Config{}).Of(ctx, bus.Address{Robot: t.robot, Device: d.GetName()})
	var n *life
	if err == nil {
		n, err = newLife(got, d)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.listLocked()
	l.asking = false
	if err == nil {
		l.before, l.now, l.problem = l.now, n, ""
		return
	}
	l.failed = time.Now()
	if text := err.Error(); t.ctx.Err() == nil && text != l.problem {
		l.problem = text
		t.log.Warn("the streams of a device are not known", "of", d.GetName(), "error", err)
	}
}

// newLife keeps what is needed of the answer of a device.
func newLife(got *dynamic.Life, d *devicev1.Device) (*life, error) {
	all, err := got.Files()
	if err != nil {
		return nil, err
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&devicev1.GetDescriptorsResponse{
		Epoch: got.Epoch, Services: got.Services(), Files: all})
	if err != nil {
		return nil, err
	}
	l := &life{epoch: got.Epoch, definitions: data, files: map[string]*descriptorpb.FileDescriptorSet{},
		sources: map[string]*source{}}
	for _, s := range d.GetStreams() {
		l.define(got.Set, s.GetMessageType())
	}
	return l, nil
}

// define remembers what defines a type; nil: nothing does.
func (l *life) define(set *descriptors.Set, of string) *descriptorpb.FileDescriptorSet {
	files, _ := set.Files(of)
	l.files[of] = files
	return files
}

// filesOf returns what defines a type, nil if it is not defined.
func (l *life) filesOf(of string) *descriptorpb.FileDescriptorSet {
	if files, known := l.files[of]; known {
		return files
	}
	var r devicev1.GetDescriptorsResponse // of a stream that has come later
	if err := proto.Unmarshal(l.definitions, &r); err != nil {
		return nil
	}
	set, err := descriptors.New(r.GetFiles(), nil)
	if err != nil {
		return nil
	}
	return l.define(set, of)
}

// source returns what a stream of a device is, nil if its type is not defined. t.mu is held.
func (t *Tap) source(l *lives, direction recording.Direction, info *devicev1.StreamInfo) *source {
	k := streamKey(direction, info.GetName())
	s, known := l.now.sources[k]
	if known && (s == nil || s.base.Type == info.GetMessageType()) {
		return s
	}
	files := t.shared(info.GetMessageType(), l.now.filesOf(info.GetMessageType()))
	if files == nil {
		t.log.Warn("a stream is left out: its device does not define its messages", "of", l.about.GetName(), "stream",
			info.GetName(), "type", info.GetMessageType())
		l.now.sources[k] = nil
		return nil
	}
	c := recording.Channel{Device: l.about.GetName(), Kind: l.about.GetKind(), Stream: info.GetName(),
		Direction: direction, Type: info.GetMessageType(), Files: files}
	if l.before != nil && l.before.sources[k] != nil && l.before.sources[k].base == c {
		s = l.before.sources[k] // nothing has changed
	} else {
		s = newSource(c)
	}
	l.now.sources[k] = s
	return s
}

// uses returns the definitions of a type that a stream of the life has; nil if none has any.
func (l *life) uses(of string) *descriptorpb.FileDescriptorSet {
	if l == nil {
		return nil
	}
	for _, s := range l.sources {
		if s != nil && s.base.Type == of {
			return s.base.Files
		}
	}
	return nil
}

// shared returns definitions of a type as another stream has them already, if they are the same. t.mu is held.
func (t *Tap) shared(of string, files *descriptorpb.FileDescriptorSet) *descriptorpb.FileDescriptorSet {
	if files == nil {
		return nil
	}
	for _, l := range t.lives {
		for _, n := range []*life{l.before, l.now} {
			if known := n.uses(of); known != nil && proto.Equal(known, files) {
				return known
			}
		}
	}
	return files
}

// streamsOf returns the streams of a device. t.mu is held.
func (t *Tap) streamsOf(l *lives) []Stream {
	if l.about == nil {
		return nil
	}
	if l.state == nil || l.state.base.Kind != l.about.GetKind() {
		l.state = newSource(stateChannel(l.about))
	}
	streams := []Stream{{Channel: l.state.channel(""), Epoch: l.about.GetEpoch()}}
	if l.now == nil {
		return streams
	}
	if l.now.epoch == l.about.GetEpoch() {
		l.streams = l.about.GetStreams()
	}
	for _, info := range l.streams {
		direction := recording.Out
		if info.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_IN {
			direction = recording.In
		}
		if s := t.source(l, direction, info); s != nil {
			streams = append(streams, Stream{Channel: s.channel(announced(s, info)), Info: info, Epoch: l.now.epoch})
		}
	}
	return streams
}

// announced is the media type that a device announces for messages that have one.
func announced(s *source, info *devicev1.StreamInfo) string {
	if types := info.GetMediaTypes(); len(types) > 0 && s.fields.HasMedia() {
		return types[0]
	}
	return ""
}

// Life is the life of a device that its definitions are of, 0 if they are not known yet.
func (t *Tap) Life(device string) (epoch int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.lives[device]; l != nil && l.now != nil {
		return l.now.epoch
	}
	return 0
}

// Definitions returns what a device said of its services and messages, waldo.device.v1.GetDescriptorsResponse; nil if
// it has not yet.
func (t *Tap) Definitions(device string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.lives[device]; l != nil && l.now != nil {
		return slices.Clone(l.now.definitions)
	}
	return nil
}
