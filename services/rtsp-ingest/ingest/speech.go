package ingest

import (
	"context"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/loudspeaker"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/playout"
	"github.com/waldo-robot/waldo/sound/service"
)

// Bounds of talking: those of an audio device.
const (
	speechQueue = 256 // packets of the bus that may wait; they are taken at once, so this is for hiccups
	maxTalkers  = 10
	maxTalk     = 10 * time.Minute
)

// speech has people talk through the camera's loudspeaker as through that of a sound card: by PlayAudio and the stream
// speaker.
type speech struct {
	kit         *device.Kit
	speaker     *playout.Speaker
	loudspeaker *loudspeaker.Loudspeaker
	talk        *device.In[*mediav1.AudioFrame]
}

func newSpeech(kit *device.Kit, tap *capture.Pipeline,
	talk func(context.Context) (feed.Voice, error)) (*speech, error) {
	speaker, err := playout.NewSpeaker(playout.Config{
		Rate: heard.Rate, Channels: heard.Channels, MaxTalkers: maxTalkers, MaxTalk: maxTalk, Metrics: kit.Metrics,
	}, loudspeaker.Block(heard), tap)
	if err != nil {
		return nil, err
	}
	s := &speech{kit: kit, speaker: speaker}
	s.loudspeaker = loudspeaker.New(loudspeaker.Config{Format: heard, Talkers: speaker, Talk: talk, Changed: s.opened})
	s.talk = device.NewIn[*mediav1.AudioFrame](kit, "speaker", stream.DropOldest(speechQueue))
	return s, nil
}

// Attributes. The page shows the problem to those who talk.
const (
	attributeSpeaker = "speaker"
	attributeProblem = "speaker_problem"
	backChannel      = "back channel"
)

// opened notes what the camera takes; "" when nobody talks any more.
func (s *speech) opened(takes string) {
	if takes == "" {
		s.kit.SetAttributes(map[string]string{attributeSpeaker: backChannel})
		return
	}
	s.kit.SetAttributes(map[string]string{attributeSpeaker: backChannel + ", " + takes, attributeProblem: ""})
}

// run has people talk until ctx ends. The presence is that of the speaker, which is there at first.
func (s *speech) run(ctx context.Context, presence *service.Presence) {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() {
		if err := s.talk.Receive(ctx, s.speaker.Mixer.Receive); err != nil && ctx.Err() == nil {
			s.kit.Log.Warn("voices cannot be received from the bus", "error", err)
		}
	})
	parts.Go(func() { _ = s.speaker.Listen(ctx) }) // ends with its context
	s.kit.SetAttributes(map[string]string{attributeSpeaker: backChannel, attributeProblem: ""})
	for ctx.Err() == nil {
		if err := s.loudspeaker.Play(ctx, s.speaker.Fill); err != nil {
			presence.Detach(err)
			s.kit.SetAttributes(map[string]string{attributeProblem: err.Error()})
			s.kit.Log.Warn("nobody is heard at the camera", "reason", err)
			s.pause(ctx, feed.ReasonOf(err))
			presence.Attach()
		}
	}
}

// pause waits until the back channel may be tried again. What is said meanwhile is lost, so that it is not heard later.
func (s *speech) pause(ctx context.Context, reason feed.Reason) {
	if wait, ok := again(reason); ok {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	steps := pace.Pace{Format: heard, Block: loudspeaker.Block(heard)}
	lost := make([]float32, steps.Length()*heard.Channels)
	_ = s.speaker.While(ctx, func(ctx context.Context) error { // ends with its context
		return steps.Run(ctx, func(time.Time, int) error {
			s.speaker.Mixer.Read(lost)
			return nil
		})
	})
}

// again returns how long to wait before the back channel is tried again, if somebody talks then. False: not on this
// connection, because nothing would be different, or the camera might lock the account.
func again(reason feed.Reason) (time.Duration, bool) {
	switch reason {
	case feed.Away, feed.Unreachable, feed.Full:
		return 2 * time.Second, true
	}
	return 0, false
}
