package viewer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// silence is after how long without a picture people are told why there is none.
	silence = time.Second
	// askEvery is how often the device is asked for its state meanwhile.
	askEvery = 500 * time.Millisecond
	// askTimeout is how long it may take to answer.
	askTimeout = time.Second
	// retryAfter is the pause before a stream that has ended is opened again.
	retryAfter = 100 * time.Millisecond
	// directPatience is how long gRPC is tried again, once it has worked, before the bus is read instead: a device that
	// restarts is not reachable for a moment.
	directPatience = 5 * time.Second
	// maxAge bounds how long a picture may wait to be drawn.
	maxAge = 500 * time.Millisecond
)

// passing are the codes of errors that come with a restart of the device or a change of the window; watch knows better
// why there is no picture.
var passing = []codes.Code{codes.Unavailable, codes.Canceled}

// reader reads one camera, whatever happens to it.
type reader struct {
	Config
	device devicev1.DeviceServiceClient // over the bus
	frames *stream.Topic[*mediav1.VideoFrame]

	mu            sync.Mutex
	width, height int                // that pictures should fit into
	reopen        context.CancelFunc // ends the present stream, which is opened again
	epoch         int64              // of the device that the present stream is of; 0 for any
	direct        time.Time          // gRPC has worked
	last          time.Time          // a picture came
	status        string             // why none comes; empty while they come
}

func newReader(c Config, width, height int) *reader {
	return &reader{
		Config: c, device: devicev1.NewDeviceServiceClient(c.Conn.Client(c.Address)), reopen: func() {},
		frames: stream.NewTopic[*mediav1.VideoFrame](), width: width, height: height,
		status: "waiting for " + c.Address.Device,
	}
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.read(ctx)
		if err != nil && ctx.Err() == nil && !slices.Contains(passing, status.Code(err)) {
			r.explain(r.Address.Device + ": " + text.Printable(status.Convert(err).Message()))
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// read reads one stream until it ends, or must be opened again.
func (r *reader) read(ctx context.Context) error {
	d, err := r.describe(ctx)
	if err != nil {
		return nil // watch tells
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.Stream == "" && r.mayDial(d.GetGrpcAddress()) {
		r.begin(cancel, d.GetEpoch())
		err := r.readDirectly(ctx, d)
		switch {
		case errors.Is(err, errUnreachable) && time.Since(r.wasDirect()) >= directPatience:
		case status.Code(err) == codes.InvalidArgument: // the device passes on what its camera compresses
		default:
			return err
		}
	}
	r.begin(cancel, 0)
	return r.readBus(ctx, d)
}

// mayDial reports whether a device's gRPC address can be that of the device. If it is one of the loopback of another
// machine, a program that listens there on this one must not get the token.
func (r *reader) mayDial(address string) bool {
	return address != "" && (r.Token == "" || !onThisMachine(address) || r.Conn.SameMachine())
}

// begin notes what is read, and how it is ended.
func (r *reader) begin(reopen context.CancelFunc, epoch int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reopen, r.epoch = reopen, epoch
}

// wasDirect is when gRPC has worked last.
func (r *reader) wasDirect() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.direct
}

// describe asks the device what it is.
func (r *reader) describe(ctx context.Context) (*devicev1.Device, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := r.device.GetDevice(ctx, &devicev1.GetDeviceRequest{})
	return answer.GetDevice(), err
}

// readBus reads the stream of JPEG on the bus.
func (r *reader) readBus(ctx context.Context, d *devicev1.Device) error {
	name, err := jpegStream(d, r.Stream)
	if err != nil {
		return err
	}
	frames, err := bus.Subscribe[*mediav1.VideoFrame](r.Conn, r.Address.Out(name), stream.Latest())
	if err != nil {
		return err
	}
	defer frames.Close()
	defer r.Conn.Hold(r.Address, name, "waldo view").Close()
	pace := media.Pacer{Rate: r.Rate}
	for f, err := range frames.All(ctx) {
		if err != nil {
			return err
		}
		if pace.Take(media.Moment(f), f.GetFormat().GetFrameRateHz()) {
			r.take(f, false)
		}
	}
	return nil
}

// take passes a picture on, which has come directly or over the bus.
func (r *reader) take(f *mediav1.VideoFrame, directly bool) {
	r.mu.Lock()
	r.last = time.Now()
	if directly {
		r.direct = r.last
	}
	back := r.status != ""
	r.status = ""
	r.mu.Unlock()
	if back {
		r.Say("pictures of " + r.Address.Device + " come")
	}
	r.frames.Publish(f)
}

// explain notes why there is no picture, and says it if that is new.
func (r *reader) explain(why string) {
	r.mu.Lock()
	known := r.status == why
	r.status = why
	r.mu.Unlock()
	if !known {
		r.Say(why)
	}
}

// why says why there is no picture, and since when; empty while they come.
func (r *reader) why() (why string, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.last
}

// watch finds out why no pictures come, until ctx ends, and has the stream opened again if it is of a device that has
// been restarted.
func (r *reader) watch(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, last := r.why(); time.Since(last) < silence {
			continue
		}
		d, err := r.describe(ctx)
		if _, last := r.why(); ctx.Err() == nil && time.Since(last) >= silence {
			r.judge(d, err)
		}
	}
}

// judge says why a device sends nothing.
func (r *reader) judge(d *devicev1.Device, err error) {
	name := r.Address.Device
	if err != nil {
		r.explain(name + " is not running, or not reachable")
		return
	}
	r.mu.Lock()
	reopen := func() {}
	if r.epoch != 0 && r.epoch != d.GetEpoch() {
		reopen = r.reopen
	}
	r.mu.Unlock()
	reopen()
	switch d.GetState() {
	case devicev1.DeviceState_DEVICE_STATE_AWAY:
		r.explain(fmt.Sprintf("%s is away: %s", name, text.Printable(d.GetStateReason())))
	case devicev1.DeviceState_DEVICE_STATE_READY:
		if why, _ := r.why(); why == "" { // otherwise there is a better reason
			r.explain(name + " sends no pictures")
		}
	default:
		r.explain(name + " is starting")
	}
}

// resize has pictures fit into another window.
func (r *reader) resize(width, height int) {
	r.mu.Lock()
	changed := r.width != width || r.height != height
	r.width, r.height = width, height
	reopen := r.reopen
	if r.epoch == 0 { // the bus has one size
		reopen = func() {}
	}
	r.mu.Unlock()
	if changed {
		reopen()
	}
}

func (r *reader) size() (width, height int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.width, r.height
}
