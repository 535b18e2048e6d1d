package service

import (
	"context"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/audio/capture"
)

// levelEvery is how often it is told how loud it is.
const levelEvery = 100 * time.Millisecond

// Levels tells how loud it is and who is talking. The microphone captures for it only while somebody wants to know. Make it with [NewLevels].
type Levels struct {
	microphone *capture.Pipeline // nil if there is none
	speaker    *Speaker          // nil if there is none
	topic      *stream.Topic[*audiov1.StreamLevelsResponse]
}

// NewLevels returns levels that nobody has measured yet. Both may be nil.
func NewLevels(microphone *capture.Pipeline, speaker *Speaker) *Levels {
	return &Levels{microphone: microphone, speaker: speaker, topic: stream.NewTopic[*audiov1.StreamLevelsResponse]()}
}

func (l *Levels) subscribe() *stream.Subscription[*audiov1.StreamLevelsResponse] {
	return l.topic.Subscribe(stream.Latest())
}

// Run measures, and gives what there is to those who stream it and, while held, to publish, until ctx ends.
func (l *Levels) Run(ctx context.Context, held func() bool, publish func(*audiov1.StreamLevelsResponse)) {
	tick := time.NewTicker(levelEvery)
	defer tick.Stop()
	release := func() {}
	defer func() { release() }()
	for wanted := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		on := l.topic.Subscribers() > 0
		now := on || held()
		switch {
		case now && !wanted:
			release = l.begin()
		case now:
			levels := l.measure()
			l.topic.Publish(levels)
			publish(levels)
		case wanted:
			release()
		}
		wanted = now
	}
}

// begin has the microphone capture, and forgets what was measured so far.
func (l *Levels) begin() (release func()) {
	l.measure()
	if l.microphone == nil {
		return func() {}
	}
	return l.microphone.Want()
}

func (l *Levels) measure() *audiov1.StreamLevelsResponse {
	r := &audiov1.StreamLevelsResponse{}
	if l.microphone != nil {
		r.Microphone = l.microphone.Meter().Take()
	}
	if l.speaker != nil {
		r.Speaker = l.speaker.Meter.Take()
		r.Talkers = l.speaker.Mixer.Talkers()
	}
	return r
}

// Close ends those who stream levels.
func (l *Levels) Close() { l.topic.Close(nil) }
