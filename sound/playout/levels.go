package playout

import (
	"context"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/sound/capture"
)

// levelEvery is how often the levels are reported.
const levelEvery = 100 * time.Millisecond

// Levels reports how loud it is and who is talking, while somebody wants to know; the microphone captures for it then.
// Make it with [NewLevels].
type Levels struct {
	microphone *capture.Pipeline // nil if there is none
	speaker    *Speaker          // nil if there is none
	topic      *stream.Topic[*audiov1.StreamLevelsResponse]
}

// NewLevels returns levels that nobody has measured yet. Both may be nil.
func NewLevels(microphone *capture.Pipeline, speaker *Speaker) *Levels {
	return &Levels{microphone: microphone, speaker: speaker, topic: stream.NewTopic[*audiov1.StreamLevelsResponse]()}
}

// Subscribe adds a reader, who gets the newest levels.
func (l *Levels) Subscribe() *stream.Subscription[*audiov1.StreamLevelsResponse] {
	return l.topic.Subscribe(stream.Latest())
}

// Run measures whenever there is a reader, until ctx ends.
func (l *Levels) Run(ctx context.Context) error { return l.topic.WhileRead(ctx, l.report) }

// report forgets what was measured so far, and begins.
func (l *Levels) report(ctx context.Context) error {
	l.measure()
	if l.microphone != nil {
		defer l.microphone.Want()()
	}
	tick := time.NewTicker(levelEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			l.topic.Publish(l.measure())
		}
	}
}

func (l *Levels) measure() *audiov1.StreamLevelsResponse {
	r := &audiov1.StreamLevelsResponse{}
	if l.microphone != nil {
		r.Microphone = l.microphone.Meter().Take()
	}
	if l.speaker != nil {
		r.Speaker = l.speaker.meter.Take()
		r.Talkers = l.speaker.Mixer.Talkers()
	}
	return r
}

// Close ends all readers.
func (l *Levels) Close() { l.topic.Close(nil) }
