// Package sender makes a camera of what one publisher sends.
//
// A [Sender] takes the frames of a publication and is a [source.Source] as soon as the first of them can be shown.
// Video passes through untouched. Pictures that are not sent in the order in which they are shown (B-frames) are
// encoded again for viewers; what cannot be decoded at all is refused with the remedy, which ends the publication. JPEG
// and raw pictures are encoded once for all viewers, like those of a camera that does not compress. A sender takes
// either video or pictures that stand alone: see [Sender.Takes].
//
// Key frames are asked of the publisher as of a network camera (package keyframe): it is found out whether it obeys.
// Those of one that does not are as far apart as its program makes them; who comes in between begins with all that came
// since the last one.
//
// Video is captured all the time, so that who comes later has a picture at once. Pictures that stand alone are captured
// while somebody reads; of those, only the newest waits.
//
// # Concurrency and shutdown
//
// Video and End are called by the slot, one at a time. The methods of Source may be called from anywhere, Capture from
// one goroutine at a time. [Sender.Run] runs until the publication has ended. Nothing else has to be closed.
package sender

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/keyframe"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// maxQueue is how many frames may wait for the pipeline before the oldest are lost.
	maxQueue = 30
	// maxAge is by how much the clock of whoever brings frames in may be behind. What is older is taken to be of now.
	maxAge = 5 * time.Second
	// renewEvery is how often what is told of the frames is renewed.
	renewEvery = time.Second
)

// Sender is described in the package comment. Make it with [New].
type Sender struct {
	who  *peerv1.Publisher
	keys *keyframe.Asker
	ways []keyframe.Way

	// Of the slot, which calls one at a time.
	pictures *picture.Stream
	kind     kind
	format   *mediav1.VideoFormat // of pictures that stand alone; shared between them
	next     int64                // sequence of the next frame of video
	begun    time.Time            // when the first frame was captured
	told     time.Time            // when info was renewed

	frames *stream.Topic[source.Frame]
	queue  *stream.Subscription[source.Frame] // of the pipeline; nil for pictures that stand alone
	gap    source.Gap                         // in what Capture took of it
	shown  sync.Once
	ready  chan struct{} // closed by shown, at the first frame
	end    sync.Once
	ended  chan struct{}

	mu   sync.Mutex
	info source.Info
	wait string // why nothing can be shown; "" if it can
	err  error  // why it has ended

	// Of pictures that stand alone.
	newest source.Frame
	came   time.Time // when it came
}

// New returns the sender of a publication. ask asks its publisher for a key frame.
func New(who *peerv1.Publisher, ask func()) *Sender {
	s := &Sender{
		who: who, keys: keyframe.New(nil), pictures: picture.New("", nil), frames: stream.NewTopic[source.Frame](),
		ready: make(chan struct{}), ended: make(chan struct{}), wait: "nothing has come",
	}
	s.ways = []keyframe.Way{{Name: "PLI", Ask: func(context.Context) error { ask(); return nil }}}
	return s
}

// kind is what a sender takes.
type kind int

const (
	unknown kind = iota
	video        // whose frames depend on one another
	alone        // pictures that depend on no other
)

// kindOf tells which kind takes a media type.
func kindOf(mediaType string) kind {
	switch mediaType {
	case media.JPEG, media.Raw:
		return alone
	}
	return video
}

// Away is why there is no picture, for people. It is a [device.ErrAway].
type Away string

func (a Away) Error() string { return string(a) }

// Unwrap makes it a device.ErrAway.
func (Away) Unwrap() error { return device.ErrAway }

// Run asks for key frames until the publication has ended.
func (s *Sender) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var asking sync.WaitGroup
	asking.Go(func() { s.keys.Run(ctx, s.ways) })
	<-s.ended
	cancel()
	asking.Wait()
}

// Ready is closed once there is a frame that can be shown.
func (s *Sender) Ready() <-chan struct{} { return s.ready }

// Waits says why nothing can be shown yet; "" if it can.
func (s *Sender) Waits() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wait
}

// Takes reports whether the sender can take frames of a media type. One that has taken video takes no pictures that
// stand alone, and the other way round: they are captured in different ways.
func (s *Sender) Takes(mediaType string) bool {
	return s.kind == unknown || s.kind == kindOf(mediaType)
}

// Video takes a frame that the sender takes. The error says what about it cannot be used, and the remedy.
func (s *Sender) Video(f *mediav1.VideoFrame) error {
	if s.kind == unknown {
		s.begin(kindOf(f.GetFormat().GetMediaType()))
	}
	now := time.Now()
	captured := f.GetCaptureTime().AsTime()
	if f.GetCaptureTime() == nil || captured.After(now) || now.Sub(captured) > maxAge {
		captured = now
	}
	switch f.GetFormat().GetMediaType() {
	case media.H264, media.VP8:
		return s.video(f, captured, now)
	case media.JPEG:
		return s.jpeg(f, captured, now)
	case media.Raw:
		return s.picture(f, captured)
	}
	return fmt.Errorf("video of the type %.40q cannot be shown: send H.264 or VP8, or by PeerService.Publish JPEG or raw "+
		"pictures", f.GetFormat().GetMediaType())
}

// begin notes what is sent.
func (s *Sender) begin(k kind) {
	s.kind = k
	if k == video {
		s.queue = s.frames.Subscribe(stream.DropOldest(maxQueue))
	}
}

// video takes a frame that depends on those before it.
func (s *Sender) video(f *mediav1.VideoFrame, captured, now time.Time) error {
	if s.begun.IsZero() {
		s.begun, s.next = captured, f.GetSequence()
	}
	if f.GetSequence() < s.next {
		return nil // it comes a second time, or too late
	}
	mediaType := f.GetFormat().GetMediaType()
	shown, ok := s.pictures.Picture(picture.Picture{
		MediaType: mediaType, Data: picture.Parts(mediaType, f.GetData()), Time: captured.Sub(s.begun), Arrival: now,
		Missing: f.GetSequence() > s.next,
	}, captured)
	s.next = f.GetSequence() + 1
	s.setWait(s.pictures.State().Waits)
	if !ok {
		s.keys.Want()
		return nil
	}
	state := s.pictures.State()
	if !state.Passage.Passes && !state.Passage.Reorders {
		return errors.New("the video cannot be shown: " + words(state.Passage.Why))
	}
	if now.Sub(s.told) >= renewEvery {
		s.told = now
		s.renew(state)
	}
	s.show(source.Frame{
		Format: shown.Format, Data: shown.Data, Time: shown.Time, Key: shown.Key, Recode: shown.Recode, Lost: shown.Lost,
		Metadata: f.GetMetadata(),
	})
	if shown.Key {
		s.keys.Key(now)
	}
	return nil
}

func (s *Sender) setWait(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = words(why)
}

// words say of a publisher what package picture says of a camera.
func words(about string) string {
	return strings.NewReplacer("the camera's", "the sender's", "in the camera", "in the program that sends",
		"set the camera to", "set the program that sends to", "the camera", "the sender").Replace(about)
}

// show passes a frame on.
func (s *Sender) show(f source.Frame) {
	s.setWait("")
	s.frames.Publish(f)
	s.shown.Do(func() { close(s.ready) })
}

// renew keeps what is told of the frames true.
func (s *Sender) renew(state picture.State) {
	passes := "yes"
	if !state.Passage.Passes {
		passes = "no, encoded again while somebody watches: " + words(state.Passage.Why)
	}
	interval := "unknown"
	if state.Group > 0 {
		interval = state.Group.Round(100 * time.Millisecond).String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = source.Info{
		Native: []*mediav1.VideoFormat{state.Format}, Current: state.Format, Unasked: true, Recode: !state.Passage.Passes,
		Attributes: map[string]string{
			"profile": state.Profile, "passes": passes, "key_frame_interval": interval,
			"key_frame_request": s.keys.String(), "key_frame_warning": s.warning(state),
		},
	}
}

// warning says what rare key frames cost, if the publisher makes none on request. Those of one that does are rare
// because nobody asks.
func (s *Sender) warning(state picture.State) string {
	if s.keys.OnRequest() {
		return ""
	}
	return words(state.Warning)
}

// Audio is for the slot; sound goes elsewhere.
func (*Sender) Audio(*mediav1.AudioFrame) {}

// End notes that nothing more comes.
func (s *Sender) End(why string) {
	s.end.Do(func() {
		s.mu.Lock()
		s.err = Away(why)
		s.mu.Unlock()
		close(s.ended)
		s.frames.Close(s.err)
	})
}

// Info implements source.Source.
func (s *Sender) Info() source.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// Capture implements source.Source. Video goes on where the last capture stopped; the first begins with the first
// frame. Pictures that stand alone begin with the next.
func (s *Sender) Capture(ctx context.Context, deliver func(source.Frame)) error {
	if s.queue == nil {
		return s.captureAlone(ctx, deliver)
	}
	return s.gap.Relay(ctx, s.queue, s.keys.Want, deliver)
}

// Watch implements source.Watcher.
func (s *Sender) Watch(ctx context.Context) error {
	select {
	case <-s.ended:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err
	case <-ctx.Done():
		return nil
	}
}

// KeyFrameOnRequest implements source.KeyFramer.
func (s *Sender) KeyFrameOnRequest() bool { return s.keys.OnRequest() }

// WantKeyFrame implements source.KeyFramer.
func (s *Sender) WantKeyFrame() { s.keys.Want() }

// RequestKeyFrame implements source.KeyFramer.
func (s *Sender) RequestKeyFrame(ctx context.Context) error { return s.keys.Request(ctx) }

// Close implements source.Source. The publication, which does not belong to its source, goes on.
func (*Sender) Close() error { return nil }
