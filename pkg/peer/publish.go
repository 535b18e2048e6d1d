package peer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	rtpcodecs "github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// videoWaiting and audioWaiting are how many frames may wait to be sent.
	videoWaiting, audioWaiting = 8, 16
)

// ErrKeyFrameNeeded means that a frame was not sent because the robot needs a key frame first: at the beginning, after
// a loss, and after each interruption. [Publication.KeyFrames] says so, too.
var ErrKeyFrameNeeded = errors.New("a key frame is needed: nothing was sent")

// PublishOptions adjusts a publication; the zero value works.
type PublishOptions struct {
	// Take takes the device from whoever sends to it, once. Otherwise the publication is refused with ALREADY_EXISTS while
	// somebody else does.
	Take bool
}

// Publication is a picture and sound that this program sends into the robot, to a device of the kind peer. There it is
// a camera and a microphone like any other: viewers and programs get it from the device. It goes on by itself when the
// connection was lost, and is over when somebody else has taken the device: it does not take it back.
type Publication struct {
	picture, sound *outgoing
	close          context.CancelFunc
}

// Publish begins to send to a device of the kind peer. It ends with Close, when ctx ends, and when the robot is closed.
// The device is asked for with the first frame, so the methods Video and Audio return why it refuses.
func (r *Robot) Publish(ctx context.Context, device string, o PublishOptions) *Publication {
	c := &claim{device: device, own: r.options.Name, listed: func() string { return r.publisher(device) }, take: o.Take}
	picture := newOutgoing(r, streamKey{device, "camera"}, webrtc.RTPCodecTypeVideo, videoWaiting, c)
	sound := newOutgoing(r, streamKey{device, "microphone"}, webrtc.RTPCodecTypeAudio, audioWaiting, c)
	stop := sync.OnceFunc(func() {
		picture.close()
		sound.close()
	})
	release := context.AfterFunc(ctx, stop)
	return &Publication{picture, sound, func() { release(); stop() }}
}

// Video sends one encoded frame; its epoch and sequence are its own matter, and a frame after a gap is sent as any
// other. It never blocks: while the robot is away, or has not accepted the publication yet, the frame is dropped, which
// is an error that says so, [ErrKeyFrameNeeded] among them. If the device refuses the publication, the error is a gRPC
// status, and the program may go on: it is asked again every few seconds. Only once the device was granted and then
// taken by somebody else, the error remains ALREADY_EXISTS.
func (p *Publication) Video(f *mediav1.VideoFrame) error {
	codec := rtpcodecs.Of(f.GetFormat().GetMediaType())
	if codec == nil || codec.Kind != webrtc.RTPCodecTypeVideo {
		return status.Errorf(codes.InvalidArgument, "format.media_type: %q cannot be sent: use %s",
			f.GetFormat().GetMediaType(), mediaTypes(webrtc.RTPCodecTypeVideo))
	}
	if !codec.Usable(f.GetData()) {
		return status.Errorf(codes.InvalidArgument, "data: not a frame of %s", codec.MediaType)
	}
	return p.picture.send(codec, outFrame{data: f.GetData(), key: codec.IsKey(f), at: f.GetCaptureTime().AsTime()})
}

// Audio sends one packet of sound, which must be Opus: as waldo.media.v1 describes it, with its sequence and
// sample_index, from which the robot tells losses and silence. Errors are those of Video.
func (p *Publication) Audio(f *mediav1.AudioFrame) error { return p.sound.audio(f) }

// KeyFrames returns a channel that has a token when the robot needs a key frame.
func (p *Publication) KeyFrames() <-chan struct{} { return p.picture.keys }

// Dropped returns how many frames were not sent, or not wholly.
func (p *Publication) Dropped() uint64 { return p.picture.dropped.Load() + p.sound.dropped.Load() }

// Close ends the publication; the device is free then.
func (p *Publication) Close() { p.close() }

// Speaker is a loudspeaker of the robot, on which this program can be heard. Several can talk at a time.
type Speaker struct{ sound *outgoing }

// Speaker returns the loudspeaker of a device. It must be closed.
func (r *Robot) Speaker(device string) *Speaker {
	return &Speaker{newOutgoing(r, streamKey{device, "speaker"}, webrtc.RTPCodecTypeAudio, audioWaiting, nil)}
}

// Audio sends one packet of sound, as [Publication.Audio] does. Nothing is played twice, and nothing late.
func (s *Speaker) Audio(f *mediav1.AudioFrame) error { return s.sound.audio(f) }

// Dropped returns how many packets were not sent.
func (s *Speaker) Dropped() uint64 { return s.sound.dropped.Load() }

// Close stops talking.
func (s *Speaker) Close() { s.sound.close() }

// audio sends a packet of sound.
func (o *outgoing) audio(f *mediav1.AudioFrame) error {
	codec := rtpcodecs.Of(f.GetFormat().GetMediaType())
	if codec == nil || codec.Kind != webrtc.RTPCodecTypeAudio || !codec.Usable(f.GetData()) {
		return status.Errorf(codes.InvalidArgument, "format.media_type: %q cannot be sent: use %s",
			f.GetFormat().GetMediaType(), mediaTypes(webrtc.RTPCodecTypeAudio))
	}
	return o.send(codec, outFrame{data: f.GetData(), key: true, epoch: f.GetEpoch(), sequence: f.GetSequence(),
		index: f.GetSampleIndex()})
}

// mediaTypes lists what can be sent.
func mediaTypes(kind webrtc.RTPCodecType) (list string) {
	for i, c := range rtpcodecs.All(kind) {
		if i > 0 {
			list += ", "
		}
		list += c.MediaType
	}
	return list
}

// outgoing is a stream to the robot. Frames wait in a bounded queue for the goroutine that sends them, which runs while
// the stream has a section of a connection.
type outgoing struct {
	robot   *Robot
	key     streamKey
	kind    webrtc.RTPCodecType
	claim   *claim // nil: others may send to the device at the same time
	frames  *stream.Topic[outFrame]
	waiting int
	keys    chan struct{}
	dropped atomic.Uint64

	mu      sync.Mutex
	want    *want // nil before the first frame
	codec   *rtpcodecs.Codec
	ready   bool  // the robot has accepted the stream
	refused error // why it has not; nil if that is not known yet
	synced  bool  // a key frame was sent, and all since
	closed  bool
}

// outFrame is a frame to be sent.
type outFrame struct {
	data []byte
	key  bool
	at   time.Time // of the capture
	// Of sound:
	epoch, sequence, index int64
}

func newOutgoing(r *Robot, k streamKey, kind webrtc.RTPCodecType, waiting int, c *claim) *outgoing {
	return &outgoing{robot: r, key: k, kind: kind, claim: c, waiting: waiting, frames: stream.NewTopic[outFrame](),
		keys: make(chan struct{}, 1)}
}

// send queues a frame, or says why not.
func (o *outgoing) send(codec *rtpcodecs.Codec, f outFrame) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.check(codec, f)
	if err != nil {
		o.dropped.Add(1)
		return err
	}
	o.synced = true
	o.frames.Publish(f)
	return nil
}

// check reports why a frame cannot be sent now; the caller holds mu.
func (o *outgoing) check(codec *rtpcodecs.Codec, f outFrame) error {
	if o.closed || o.robot.State().State == Closed {
		return ErrClosed
	}
	if o.claim != nil {
		if err := o.claim.ended(); err != nil {
			return err
		}
	}
	if o.codec != codec {
		if err := o.begin(codec); err != nil {
			return err
		}
	}
	switch {
	case !o.ready && o.refused != nil:
		return o.refused
	case !o.ready || !o.robot.isLive():
		o.synced = false
		return errNotOpen
	case !o.synced && !f.key:
		o.askKey()
		return ErrKeyFrameNeeded
	}
	return nil
}

// begin asks the robot to take a stream in a codec; the caller holds mu.
func (o *outgoing) begin(codec *rtpcodecs.Codec) error {
	offers := rtpcodecs.Offers(o.kind)
	parameters := offers[slices.IndexFunc(offers,
		func(p webrtc.RTPCodecParameters) bool { return p.MimeType == codec.MediaType })]
	track, err := webrtc.NewTrackLocalStaticRTP(parameters.RTPCodecCapability, o.key.device+"-"+o.key.stream, o.key.device)
	if err != nil {
		return err
	}
	if o.want != nil {
		o.robot.unwant(o.want)
	}
	o.frames.Close(nil) // of another codec
	o.frames = stream.NewTopic[outFrame]()
	o.codec, o.ready, o.synced = codec, false, false
	w := &want{streamKey: o.key, kind: o.kind, talker: o.robot.options.Name, local: track, codec: parameters,
		claim: o.claim}
	w.settled = func(err error) { o.settled(w, err) }
	w.reports = o.reports
	frames := o.frames
	w.transmit = func(ctx context.Context, n *counters) { o.transmit(ctx, frames, newPacketizer(codec, track, n)) }
	o.want = w
	o.robot.want(w)
	return nil
}

// settled notes what the robot says of the stream.
func (o *outgoing) settled(w *want, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.want != w {
		return
	}
	o.ready, o.refused, o.synced = err == nil, err, false
	switch {
	case o.claim == nil:
	case err == nil:
		o.claim.grant()
	case status.Code(err) == codes.AlreadyExists && o.claim.refuse():
		o.refused = nil // that is not known yet
	}
	o.askKey()
}

// askKey tells the program that a key frame is needed.
func (o *outgoing) askKey() {
	select {
	case o.keys <- struct{}{}:
	default:
	}
}

// reports takes what the robot reports about the frames.
func (o *outgoing) reports(packets []rtcp.Packet) {
	for _, packet := range packets {
		switch packet.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			o.askKey()
		}
	}
}

// transmit sends frames as packets. After a frame that was dropped because too many waited, it goes on with a key
// frame.
func (o *outgoing) transmit(ctx context.Context, topic *stream.Topic[outFrame], p *packetizer) {
	frames := topic.Subscribe(stream.DropOldest(o.waiting))
	defer frames.Close()
	lost, synced := uint64(0), p.codec.Independent
	for f, err := range frames.All(ctx) {
		if err != nil {
			return
		}
		if now := frames.Lost(); now != lost {
			o.dropped.Add(now - lost)
			lost, synced = now, p.codec.Independent
		}
		if synced = synced || f.key; !synced {
			o.dropped.Add(1)
			o.askKey()
			continue
		}
		p.send(ctx, f)
	}
}

// close ends the stream.
func (o *outgoing) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.frames.Close(nil)
	if o.want != nil {
		o.robot.unwant(o.want)
	}
}
