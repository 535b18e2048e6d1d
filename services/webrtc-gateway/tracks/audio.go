package tracks

import (
	"context"
	"time"

	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/origin"
)

// audioCodecs are the codecs that an audio stream may use.
var audioCodecs = codecs.All(webrtc.RTPCodecTypeAudio)

// audio is an audio stream. It adds the timeline to what all sources do: each frame has a place, and missing frames are
// gaps.
type audio struct {
	*fan
	feed     AudioFeed
	timeline timeline // used by Run only
}

func newAudio(feed AudioFeed, f *fan) *audio {
	f.meters.sources.Inc()
	return &audio{fan: f, feed: feed, timeline: newTimeline()}
}

// Run reads the feed until ctx or the feed ends.
func (a *audio) Run(ctx context.Context) { pump(ctx, a.fan, a.feed.Next, a.accept) }

// Close releases the stream.
func (a *audio) Close() {
	a.feed.Close()
	a.meters.sources.Dec()
}

// accept forwards one frame if it is usable.
func (a *audio) accept(f *mediav1.AudioFrame, now time.Time) {
	a.meters.frames.Inc()
	if !a.usable(f) {
		a.meters.lostGarbage.Inc()
		return
	}
	at := now
	if t := f.GetReplayTime(); t.IsValid() {
		at = t.AsTime() // a replay knows how long a pause was, however late its first packet comes
	}
	fr, missed := a.timeline.place(f, at)
	a.meters.lostOnBus.Add(float64(missed))
	if fr == nil {
		a.meters.lostLate.Inc()
		return
	}
	fr.codec, fr.payloads, fr.received = a.codec, [][]byte{fr.data}, now
	o := origin.Origin{Epoch: f.GetEpoch(), Sequence: f.GetSequence()}
	if t := f.GetCaptureTime(); t.IsValid() && t.GetSeconds() > 0 {
		o.Captured = t.AsTime()
	}
	fr.identify(o)
	a.mu.Lock()
	a.publish(fr)
	a.mu.Unlock()
}

// usable reports whether a frame is valid and can be sent to listeners.
func (a *audio) usable(f *mediav1.AudioFrame) bool {
	ok, _ := a.chooseCodec(f.GetFormat().GetMediaType(), audioCodecs)
	return ok && a.codec.Usable(f.GetData()) &&
		f.GetEpoch() != 0 && f.GetSequence() >= 0 && f.GetSampleIndex() >= 0 &&
		f.GetSampleCount() > 0 && f.GetSampleCount() <= codecs.MaxOpusSamples
}

// join starts an intake. Nothing is kept for later listeners.
func (a *audio) join(i *intake) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.intakes[i] = struct{}{}
}

// refresh has nothing to do: sound has no key frames.
func (a *audio) refresh(*intake) {}

// repeat likewise.
func (a *audio) repeat(*intake) {}

// mend likewise.
func (a *audio) mend(*intake) {}
