package tracks

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/origin"
)

// videoCodecs are the codecs that a video stream may use.
var videoCodecs = codecs.All(webrtc.RTPCodecTypeVideo)

// shortGroup is the longest group that is replayed to a new viewer: a third of a second is decoded faster than a new
// key frame arrives. A longer one is not worth it if the device encodes the stream itself. If the stream is as the
// hardware compresses it, a new viewer gets everything since the last key frame.
const shortGroup = 10

// recent is how old a group that is as the hardware compresses it may be to be repeated although a key frame was asked
// for: that may take as long.
const recent = time.Second

// video is a video stream. It adds to what all sources do what interdependent pictures need: key frames, and the group
// of pictures that leads up to the newest one.
type video struct {
	*fan
	feed     VideoFeed
	profiles *profiles
	keys     *keyRequester
	group    media.Group[*frame] // guarded by mu

	// Used by Run only.
	resync    media.Resync
	missed    uint64 // of resync, already counted
	clock     rtpClock
	burst     burst
	rate      bitRate
	payloader rtp.Payloader
}

func newVideo(feed VideoFeed, f *fan, p *profiles) *video {
	f.meters.sources.Inc()
	v := &video{fan: f, feed: feed, profiles: p}
	v.clock.last = randomUint32()
	v.clock.anchor = v.clock.last
	v.keys = newKeyRequester(func(ctx context.Context) error {
		v.meters.keyRequests.Inc()
		return feed.RequestKeyFrame(ctx)
	}, v.log)
	return v
}

// Run reads the feed until ctx or the feed ends.
func (v *video) Run(ctx context.Context) {
	var requests sync.WaitGroup
	defer requests.Wait()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	requests.Go(func() { v.keys.run(asking) })
	pump(ctx, v.fan, v.feed.Next, v.accept)
}

// Close releases the stream.
func (v *video) Close() {
	v.feed.Close()
	v.meters.sources.Dec()
}

// accept forwards one frame if it is usable.
func (v *video) accept(vf *mediav1.VideoFrame, now time.Time) {
	v.meters.frames.Inc()
	if !v.usable(vf) {
		v.meters.lostGarbage.Inc()
		return
	}
	key := v.codec.IsKey(vf)
	deliver := v.resync.Accept(vf.GetEpoch(), vf.GetSequence(), key)
	v.countMissed()
	if !deliver {
		v.meters.lostUnusable.Inc()
		v.insist(now)
		return
	}
	if key {
		v.profiles.learn(v.stream, v.codec, vf.GetData())
	}
	if f := v.cut(vf, key, now); len(f.payloads) > 0 {
		v.send(f, now)
	}
}

// usable reports whether a frame is valid and can be sent to viewers. A stream that changes its codec starts again with
// a key frame.
func (v *video) usable(vf *mediav1.VideoFrame) bool {
	if vf.GetEpoch() == 0 || vf.GetSequence() < 0 || len(vf.GetData()) == 0 {
		return false
	}
	ok, changed := v.chooseCodec(vf.GetFormat().GetMediaType(), videoCodecs)
	if changed {
		v.payloader = v.codec.NewPayloader()
		v.resync.Lose()
		v.mu.Lock()
		v.group.Drop()
		v.mu.Unlock()
	}
	return ok && v.codec.Usable(vf.GetData())
}

func (v *video) countMissed() {
	if missed := v.resync.Missed(); missed != v.missed {
		v.meters.lostOnBus.Add(float64(missed - v.missed))
		v.missed = missed
	}
}

func (v *video) cut(vf *mediav1.VideoFrame, key bool, now time.Time) *frame {
	f := &frame{codec: v.codec, data: vf.GetData(), key: key, received: now, capture: now}
	if t := media.Moment(vf); !t.IsZero() {
		f.capture = t
	}
	from := origin.Origin{Epoch: vf.GetEpoch(), Sequence: vf.GetSequence(), Captured: f.capture}
	if vf.GetReplayTime() != nil && vf.GetCaptureTime().IsValid() {
		from.Captured = vf.GetCaptureTime().AsTime()
	}
	f.replayed = vf.GetReplayTime() != nil
	f.identify(from)
	f.kept = v.burst.includes(vf.GetEpoch(), f.capture, now)
	f.timestamp = v.clock.stamp(vf.GetEpoch(), f.capture, now)
	f.payloads = v.codec.Level(v.payloader.Payload(mtu, vf.GetData()), firstLess)
	for _, p := range f.payloads {
		f.size += len(p)
	}
	binary.BigEndian.PutUint64(f.captureNTP[:], rtp.NewAbsCaptureTimeExtension(f.capture).Timestamp)
	return f
}

// send passes the frame to all viewers and keeps it for later ones.
func (v *video) send(f *frame, now time.Time) {
	asIs := v.feed.KeyFrames().AsIs
	v.rate.add(f.size, now)
	v.mu.Lock()
	v.group.Add(f, f.size, f.key)
	if !asIs && v.group.Len() > shortGroup {
		v.group.Drop()
	}
	needKey := v.publish(f)
	v.mu.Unlock()
	if needKey {
		v.insist(now)
	}
}

// join starts an intake. It gets the group if there is one, and it can use it; otherwise a key frame is requested.
func (v *video) join(i *intake) {
	keys := v.feed.KeyFrames()
	v.mu.Lock()
	v.intakes[i] = struct{}{}
	replayed := !(i.fresh && keys.OnRequest && !keys.AsIs) && i.queue.begin(v.groupFor(i))
	flowing := v.flowing
	v.mu.Unlock()
	if flowing && !replayed && keys.OnRequest {
		v.keys.ask()
	}
}

// groupFor returns the group if an intake can use it. The caller holds v.mu.
func (v *video) groupFor(i *intake) []*frame {
	group := v.group.Frames()
	if len(group) > 0 && i.codec != nil && group[0].codec != i.codec {
		return nil
	}
	return group
}

// refresh helps an intake that cannot continue without a key frame: with a new one if the device makes them on request,
// and by repeating the group if it does not, or if that is quicker. The initial group may be lost entirely: a browser
// discards packets that arrive before it has read the answer.
func (v *video) refresh(i *intake) {
	keys := v.feed.KeyFrames()
	if keys.OnRequest && i.wish.make() {
		v.keys.ask()
	}
	if !keys.AsIs {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	group, now := v.groupFor(i), time.Now()
	if len(group) == 0 || keys.OnRequest && now.Sub(group[0].received) > recent {
		return
	}
	if _, started := v.intakes[i]; started && i.again.AllowN(now, 1) {
		i.queue.again(group, now)
	}
}

// repeat sends the group again to an intake that may have got nothing of it.
func (v *video) repeat(i *intake) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, started := v.intakes[i]; started {
		i.queue.again(v.groupFor(i), time.Now())
	}
}

// mend asks for a key frame for an intake that has lost a picture, unless one is under way. Nothing else is repeated:
// it would be lost as well.
func (v *video) mend(i *intake) {
	if v.feed.KeyFrames().OnRequest && v.keys.quiet(time.Now()) && i.wish.make() {
		v.keys.ask()
	}
}

func (v *video) insist(now time.Time) {
	if v.feed.KeyFrames().OnRequest {
		v.keys.insist(now)
	}
}
