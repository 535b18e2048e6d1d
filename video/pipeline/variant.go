package pipeline

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/encode"
)

// maxPassQueue is how many frames of a compressed source may wait: unlike pictures they depend on one another.
const maxPassQueue = 30

// output is a frame as readers get it.
type output struct {
	frame  *mediav1.VideoFrame
	number int64 // of the capture
}

// variant makes one format for all readers that want it.
type variant struct {
	p      *Pipeline
	key    key
	keys   keyPacer
	input  *stream.Subscription[*capture]
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended
	refs   int           // readers; guarded by Pipeline.mu
	pixels int           // that it has to make for each picture

	mu     sync.Mutex // held while a frame is published, so that replay and topic agree for a new reader
	topic  *stream.Topic[output]
	replay media.Group[output] // of a compressed source

	// The rest belongs to run.
	sequence *atomic.Int64
	encoder  encode.Encoder
	format   *mediav1.VideoFormat // of encoder, or of what is passed through
	bitrate  int64                // that encoder was told
	scaler   encode.Scaler
	pace     pacer
	passing  media.Resync // of a compressed source
	lost     uint64       // captures left out so far
	warned   time.Time
}

// startVariant makes a variant run. It begins when after is closed. The caller holds p.mu.
func (p *Pipeline) startVariant(k key, after <-chan struct{}) *variant {
	ctx, cancel := context.WithCancel(context.Background())
	policy := stream.Latest()
	if p.passes(k) && k.mediaType == media.H264 {
		policy = stream.DropOldest(maxPassQueue)
	}
	v := &variant{
		p: p, key: k, pixels: p.pixels(k), input: p.captured.Subscribe(policy), cancel: cancel, done: make(chan struct{}),
		topic: stream.NewTopic[output](), sequence: &atomic.Int64{},
		scaler: encode.Scaler{Reuse: k.mediaType != media.Raw}, pace: pacer{rate: k.rate},
	}
	if k == live {
		v.sequence = &p.liveSequence
	}
	p.running.Go(func() { v.run(ctx, after) })
	return v
}

// passes reports whether frames of the present source go to a variant untouched. The caller holds p.mu.
func (p *Pipeline) passes(k key) bool {
	f := p.info.Current
	return p.turned.None() && f.GetMediaType() == k.mediaType && f.GetPixelFormat() == k.pixelFormat &&
		k.width == 0 && (k.rate == 0 || k.mediaType != media.H264)
}

// run makes frames until end.
func (v *variant) run(ctx context.Context, after <-chan struct{}) {
	defer close(v.done)
	<-after
	defer v.closeEncoder()
	for {
		c, err := v.input.Next(ctx)
		if err != nil {
			return
		}
		v.countLost()
		if !v.pace.take(c.frame.Time, c.frame.Format.GetFrameRateHz()) {
			continue
		}
		if err := v.make(ctx, c); err != nil {
			v.p.metrics.drop(dropBroken, 1)
			v.warn(err)
			v.closeEncoder()
		}
	}
}

// end stops the variant, waits for it, and ends its readers.
func (v *variant) end(why error) {
	v.cancel()
	<-v.done
	v.input.Close()
	v.topic.Close(why)
}

func (v *variant) countLost() {
	lost := v.input.Lost()
	v.p.metrics.drop(dropLate, lost-v.lost)
	v.lost = lost
}

// make turns a capture into a frame and publishes it. Each step may take long, so none is begun once ctx has ended.
func (v *variant) make(ctx context.Context, c *capture) error {
	if v.canPass(c) {
		return v.pass(c)
	}
	img, err := c.pixels()
	if err != nil || img == nil {
		return err
	}
	if err := v.prepare(c); err != nil {
		return err
	}
	img, err = v.scaler.Fit(img, int(v.format.GetWidthPx()), int(v.format.GetHeightPx()))
	if err != nil || ctx.Err() != nil {
		return err
	}
	return v.encode(c, img)
}

// canPass reports whether a captured frame already is what readers want.
func (v *variant) canPass(c *capture) bool {
	f := c.frame.Format
	width, height := evenFor(f, int(f.GetWidthPx()), int(f.GetHeightPx()))
	return c.orientation.None() && v.key.width == 0 && f.GetMediaType() == v.key.mediaType &&
		f.GetPixelFormat() == v.key.pixelFormat && (v.key.rate == 0 || f.GetMediaType() != media.H264) &&
		c.frame.Data != nil && c.frame.Stride == 0 && width == int(f.GetWidthPx()) && height == int(f.GetHeightPx())
}

func (v *variant) pass(c *capture) error {
	if v.key.mediaType == media.H264 && !v.passing.Accept(1, c.number, c.frame.Key) {
		return nil
	}
	v.closeEncoder()
	v.format = c.frame.Format
	v.publish(c, encode.Packet{Data: c.frame.Data, Key: c.frame.Key})
	v.p.metrics.passed.WithLabelValues(v.key.mediaType).Inc()
	return nil
}

// prepare makes an encoder for the format the capture asks for, if there is none yet.
func (v *variant) prepare(c *capture) error {
	f := &mediav1.VideoFormat{MediaType: v.key.mediaType, PixelFormat: v.key.pixelFormat, FrameRateHz: v.key.rate}
	width, height := v.key.width, v.key.height
	if width == 0 {
		w, h := c.size()
		width, height = evenFor(f, w, h)
	}
	if v.key.rate == 0 {
		f.FrameRateHz = c.frame.Format.GetFrameRateHz()
	}
	f.WidthPx, f.HeightPx = int32(width), int32(height)
	if v.encoder != nil && sameFormat(f, v.format) {
		return nil
	}
	v.closeEncoder()
	v.bitrate = 0
	if v.key == live {
		v.bitrate = v.p.bitrate.Load()
	}
	e, err := encode.New(f, encode.Options{Bitrate: int(v.bitrate), JPEGQuality: v.p.config.JPEGQuality})
	if err != nil {
		return err
	}
	v.encoder, v.format = e, f
	return nil
}

func sameFormat(a, b *mediav1.VideoFormat) bool {
	return a.GetWidthPx() == b.GetWidthPx() && a.GetHeightPx() == b.GetHeightPx() && a.GetFrameRateHz() == b.GetFrameRateHz()
}

func (v *variant) encode(c *capture, img *media.I420) error {
	v.followBitrate()
	begin := time.Now()
	wanted := v.key.mediaType == media.H264 && v.keys.take(begin)
	packet, err := v.encoder.Encode(img, wanted, c.frame.Time)
	if err != nil {
		return err
	}
	v.p.metrics.encodedIn(v.key.mediaType, time.Since(begin))
	if v.key.mediaType == media.H264 && packet.Key {
		v.keys.made(begin)
		v.p.metrics.keysMade.Inc()
	}
	if len(packet.Data) == 0 {
		v.p.metrics.drop(dropSkipped, 1)
		return nil
	}
	v.publish(c, packet)
	return nil
}

// followBitrate tells the encoder of the live variant when SetBitrate was called.
func (v *variant) followBitrate() {
	target := v.p.bitrate.Load()
	setter, ok := v.encoder.(encode.BitrateSetter)
	if v.key != live || !ok || target == v.bitrate || target == 0 {
		return
	}
	v.bitrate = target
	if err := setter.SetBitrate(int(target)); err != nil {
		v.warn(err)
	}
}

func (v *variant) publish(c *capture, packet encode.Packet) {
	out := output{number: c.number, frame: &mediav1.VideoFrame{
		Epoch: v.p.config.Epoch, Sequence: v.sequence.Add(1) - 1, CaptureTime: timestamppb.New(c.frame.Time),
		Format: v.format, KeyFrame: packet.Key, Data: packet.Data, Metadata: c.frame.Metadata,
	}}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.key.mediaType == media.H264 && v.encoder == nil {
		v.replay.Add(out, len(packet.Data), packet.Key)
	}
	v.topic.Publish(out)
}

// subscribe adds a reader, and returns what it has to read before.
func (v *variant) subscribe() (*stream.Subscription[output], []output) {
	v.mu.Lock()
	defer v.mu.Unlock()
	policy := stream.Latest()
	if v.key.mediaType == media.H264 {
		policy = stream.DropOldest(readerQueue).Within(inflight.MaxWait)
	}
	return v.topic.Subscribe(policy), v.replay.Frames()
}

func (v *variant) requestKey() {
	v.p.metrics.keysWanted.Inc()
	v.keys.request()
}

func (v *variant) closeEncoder() {
	if v.encoder == nil {
		return
	}
	if err := v.encoder.Close(); err != nil {
		v.warn(err)
	}
	v.encoder = nil
}

// warn logs, but not for every picture.
func (v *variant) warn(err error) {
	if time.Since(v.warned) > 10*time.Second {
		v.warned = time.Now()
		v.p.log.Warn("a picture could not be made", "format", fmt.Sprint(v.format), "error", err)
	}
}
