package relay

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/rtp"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// A group of at most so many frames is replayed to a new viewer: a third of a second is decoded faster than a new key frame comes. A longer one
// is not worth it when a key frame can be had for the asking. Without key frames on request a new viewer is given everything since the last one.
const shortGroup = 10

// relay passes one stream to its viewers.
type relay struct {
	stream   Stream
	feed     Feed
	profiles *profiles
	meters   meters
	log      *slog.Logger
	keys     *keyRequester
	ctx      context.Context
	stop     context.CancelFunc
	users    int // viewers, started or not; guarded by the hub

	// Used by run only.
	resync    media.Resync
	clock     rtpClock
	mediaType string
	payloader rtp.Payloader
	missed    uint64

	mu      sync.Mutex
	intakes map[*intake]struct{} // started
	group   media.Group[*frame]
	flowing bool // a frame was passed on since the relay began
}

func newRelay(s Stream, feed Feed, p *profiles, m meters, log *slog.Logger) *relay {
	r := &relay{
		stream: s, feed: feed, profiles: p, meters: m, log: log, intakes: make(map[*intake]struct{}),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.clock.last = randomUint32()
	r.clock.anchor = r.clock.last
	r.keys = newKeyRequester(func(ctx context.Context) error {
		m.keyRequests.Inc()
		return feed.RequestKeyFrame(ctx)
	}, log)
	return r
}

// run reads the feed until the relay is stopped.
func (r *relay) run() {
	defer r.feed.Close()
	var requests sync.WaitGroup
	requests.Go(func() { r.keys.run(r.ctx) })
	defer requests.Wait()
	for {
		f, err := r.feed.Next(r.ctx)
		if err != nil {
			if r.ctx.Err() == nil {
				r.log.Warn("stream ended", "error", err)
			}
			r.stop()
			return
		}
		r.accept(f, time.Now())
	}
}

// accept passes one frame on, if it can be used.
func (r *relay) accept(vf *mediav1.VideoFrame, now time.Time) {
	r.meters.frames.Inc()
	if !r.choosePayloader(vf) {
		r.meters.lostGarbage.Inc()
		return
	}
	deliver := r.resync.Accept(vf.GetEpoch(), vf.GetSequence(), vf.GetKeyFrame())
	r.countMissed()
	if !deliver {
		r.meters.lostUnusable.Inc()
		r.insist(now)
		return
	}
	if vf.GetKeyFrame() {
		r.profiles.learn(r.stream, vf.GetData())
	}
	if f := r.cut(vf, now); len(f.payloads) > 0 {
		r.send(f, now)
	}
}

// choosePayloader sees to it that the payloader fits the frame; false means that the frame makes no sense or that no viewer
// can be sent its format.
func (r *relay) choosePayloader(vf *mediav1.VideoFrame) bool {
	if vf.GetEpoch() == 0 || vf.GetSequence() < 0 || len(vf.GetData()) == 0 {
		return false
	}
	if t := vf.GetFormat().GetMediaType(); t != r.mediaType || r.payloader == nil {
		r.mediaType, r.payloader = t, newPayloader(t)
		if r.payloader == nil {
			r.log.Warn("frames cannot be shown: only video/H264 can be sent to viewers", "media_type", t)
		}
	}
	return r.payloader != nil
}

func (r *relay) countMissed() {
	if missed := r.resync.Missed(); missed != r.missed {
		r.meters.lostOnBus.Add(float64(missed - r.missed))
		r.missed = missed
	}
}

func (r *relay) cut(vf *mediav1.VideoFrame, now time.Time) *frame {
	f := &frame{data: vf.GetData(), key: vf.GetKeyFrame(), received: now, capture: now}
	if t := vf.GetCaptureTime(); t.IsValid() && t.GetSeconds() > 0 {
		f.capture = t.AsTime()
	}
	f.timestamp = r.clock.stamp(vf.GetEpoch(), f.capture, now)
	f.payloads = r.payloader.Payload(mtu, vf.GetData())
	for _, p := range f.payloads {
		f.size += len(p)
	}
	binary.BigEndian.PutUint64(f.captureNTP[:], rtp.NewAbsCaptureTimeExtension(f.capture).Timestamp)
	return f
}

// send gives the frame to all viewers and keeps it for those to come.
func (r *relay) send(f *frame, now time.Time) {
	onRequest := r.feed.KeyFrameOnRequest()
	r.mu.Lock()
	r.flowing = true
	r.group.Add(f, f.size, f.key)
	if onRequest && r.group.Len() > shortGroup {
		r.group.Drop()
	}
	needKey := false
	for i := range r.intakes {
		if i.push(f) {
			needKey = true
		}
	}
	r.mu.Unlock()
	if needKey {
		r.insist(now)
	}
}

func (r *relay) askKey() {
	if r.feed.KeyFrameOnRequest() {
		r.keys.ask()
	}
}

func (r *relay) insist(now time.Time) {
	if r.feed.KeyFrameOnRequest() {
		r.keys.insist(now)
	}
}
