package peer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/peer/ear"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/playout"
	"github.com/waldo-robot/waldo/sound/service"
)

// maxPackets is how many packets of sound may wait to be taken.
const maxPackets = 256

// errSilent is why nothing is heard.
var errSilent = errors.New("nobody sends sound")

// sound has a publisher heard as a microphone is: by AudioService and the streams audio and levels. The streams are in
// the device's description while somebody sends sound.
type sound struct {
	kit      *device.Kit
	ear      *ear.Ear
	in       *device.In[*mediav1.AudioFrame]
	pipeline *capture.Pipeline
	audio    *device.Out[*mediav1.AudioFrame]
	levels   *playout.Levels
	loudness *device.Out[*audiov1.StreamLevelsResponse]
	service  *service.Service
	heard    atomic.Bool // this publisher
	said     atomic.Bool // what it sends is sound, which is not known of packets
	readers  *stream.Demand
}

func newSound(kit *device.Kit, readers *stream.Demand) (*sound, error) {
	e, err := ear.New(kit.Metrics)
	if err != nil {
		return nil, err
	}
	s := &sound{kit: kit, ear: e, readers: readers}
	s.in = device.NewIn[*mediav1.AudioFrame](kit, "microphone", stream.DropOldest(maxPackets))
	s.pipeline = capture.New(capture.Config{
		Epoch: kit.Epoch(), Format: ear.Format, Tap: "peer", Log: kit.Log, Metrics: capture.NewMetrics(kit.Metrics),
	})
	s.audio = device.NewOut[*mediav1.AudioFrame](kit, "audio", device.OutOptions{Absent: true})
	s.levels = playout.NewLevels(s.pipeline, nil)
	s.loudness = device.NewOut[*audiov1.StreamLevelsResponse](kit, "levels", device.OutOptions{Absent: true})
	s.service = service.New(service.Config{
		Microphone: s.pipeline, Levels: s.levels, Stopping: kit.Stopping(),
		NoSpeaker: "talk through a device of the kind audio",
		List:      func() ([]*audiov1.SoundDevice, error) { return nil, nil },
	})
	s.service.Microphone.Detach(errSilent)
	audiov1.RegisterAudioServiceServer(kit, s.service)
	return s, nil
}

// hear takes a packet of whoever sends.
func (s *sound) hear(f *mediav1.AudioFrame) {
	s.ear.Hear(f)
	s.present()
}

// say takes sound of a program, and holds it up while it is ahead.
func (s *sound) say(ctx context.Context, talk *ear.Talk, f *mediav1.AudioFrame) error {
	if err := talk.Say(ctx, f); err != nil {
		return err
	}
	s.said.Store(true)
	s.present()
	return nil
}

// present makes the sound known.
func (s *sound) present() {
	if !s.heard.Swap(true) {
		s.service.Microphone.Attach()
		s.audio.SetPresent(true)
		s.loudness.SetPresent(true)
	}
}

// end notes that whoever sent sound has gone.
func (s *sound) end() {
	s.said.Store(false)
	if s.heard.Swap(false) {
		s.service.Microphone.Detach(errSilent)
		s.audio.SetPresent(false)
		s.loudness.SetPresent(false)
	}
}

// run serves listeners until ctx ends.
func (s *sound) run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { _ = s.pipeline.Run(ctx, counted{s.ear, s.readers}) }) // ends with its context: the ear never fails
	parts.Go(func() {
		device.Serve(ctx, s.audio, func() (*capture.Reader, error) { return s.pipeline.Open(nil, 0) })
	})
	parts.Go(func() { _ = s.levels.Run(ctx) }) // ends with its context
	parts.Go(func() {
		device.Serve(ctx, s.loudness, func() (*stream.Subscription[*audiov1.StreamLevelsResponse], error) {
			return s.levels.Subscribe(), nil
		})
	})
	parts.Wait()
	s.levels.Close()
	s.pipeline.Close()
	s.ear.Close()
}

// counted is a microphone that counts as read while it is heard.
type counted struct {
	*ear.Ear
	readers *stream.Demand
}

// Capture implements card.Microphone.
func (c counted) Capture(ctx context.Context, take func(samples []float32, at time.Time)) error {
	defer c.readers.Want()()
	return c.Ear.Capture(ctx, take)
}
