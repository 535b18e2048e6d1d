// Package peer is the kind of device "peer": a slot for one publisher at a time, whose video and sound, or messages,
// are those of the device. What a camera does with pictures is in package video/camera.
//
// Publishers in other processes of Waldo call Begin and send on the bus; programs call Publish and send over gRPC. Only
// these may send raw pictures and JPEG, which the bus has no room for.
//
// While nobody sends, the device is AWAY like a camera that is unplugged, with the reason; viewers and readers stay,
// and go on with the next publisher. PeerService works at any time.
package peer

import (
	"context"
	"fmt"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/peer/call"
	"github.com/waldo-robot/waldo/services/peer/sender"
	"github.com/waldo-robot/waldo/services/peer/slot"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// maxFrames is how many frames of a publisher may wait to be taken. They are taken at once, so this is for hiccups.
	maxFrames = 128
	// patience is how long somebody may send what cannot be shown before the device's state says why.
	patience = 3 * time.Second
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "peer", Version: version.Version, Defaults: Defaults(), OneCore: true,
		LargestStep: LargestStep, New: newDriver}
}

// driver is a camera whose pictures a publisher sends.
type driver struct {
	*camera.Driver
	kit    *device.Kit
	slot   *slot.Slot
	sound  *sound       // nil if it is not wanted
	caller *call.Caller // nil if nobody is called
	camera *device.In[*mediav1.VideoFrame]
	told   news // why open failed the last time
	once   sync.Once
	always sync.WaitGroup // what runs as long as the process does, senders, and calls of Publish

	readers stream.Demand
	ready   func() // of Run, which calls open

	mu      sync.Mutex
	sender  *sender.Sender // of whoever has the slot; nil: nobody
	changed chan struct{}  // closed and replaced when there is another one
	last    string         // why the last publication ended, while nobody sends
	calling string         // why there is no call to a robot; empty: there is one, or none is to be
}

func newDriver(kit *device.Kit, c Config) (device.Driver, error) {
	if c.Carries == carriesMessages {
		return newMessenger(kit), nil
	}
	return newCamera(kit, c)
}

func newCamera(kit *device.Kit, c Config) (device.Driver, error) {
	d := &driver{kit: kit, changed: make(chan struct{})}
	wishes := device.NewOut[*peerv1.Wish](kit, "wishes", device.OutOptions{})
	d.slot = slot.New(slot.Config{
		MaxBitrate: c.MaxBitrate, Open: d.begin, Wish: wishes.Publish,
		Changed: func(who *peerv1.Publisher) { describe(kit, who) },
	})
	d.camera = device.NewIn[*mediav1.VideoFrame](kit, "camera", stream.DropOldest(maxFrames))
	if c.Sound {
		var err error
		if d.sound, err = newSound(kit, &d.readers); err != nil {
			return nil, err
		}
	}
	if err := d.prepareCall(c); err != nil {
		return nil, err
	}
	d.Driver = camera.New(kit, c.camera(), d.open)
	peerv1.RegisterPeerServiceServer(kit, &peers{
		slot: d.slot, readers: &d.readers, work: &d.always, carries: carries{begin: d.take, most: mostVideo},
	})
	register(kit.Metrics, d.slot)
	kit.OnStop(d.always.Wait)
	kit.BeforeRestart(d.slot.Obstacles)
	return d, nil
}

// Run implements [device.Driver].
func (d *driver) Run(ctx context.Context, ready func()) error {
	d.once.Do(func() {
		stopping := d.kit.Stopping()
		d.always.Go(func() { d.slot.Run(stopping) })
		d.always.Go(func() { d.complain(stopping, d.camera.Receive(stopping, d.receive)) })
		d.always.Go(func() { _ = d.WhileRead(stopping, d.readers.During) }) // ends with its context
		if d.caller != nil {
			d.always.Go(func() { d.caller.Run(stopping) })
		}
		if d.sound != nil {
			d.always.Go(func() { d.complain(stopping, d.sound.in.Receive(stopping, d.slot.Audio)) })
			d.always.Go(func() { d.sound.run(stopping) })
		}
	})
	d.ready = ready
	return d.Driver.Run(ctx, ready)
}

// prepareCall makes what calls a robot, if one is to be called.
func (d *driver) prepareCall(c Config) (err error) {
	to, err := c.address()
	if to == nil {
		return err
	}
	at := d.kit.Address()
	d.caller, err = call.New(call.Config{
		URL: to, Cameras: c.Cameras, Sound: c.Sound, Slot: d.slot, Bus: d.kit.Bus(), Robot: at.Robot, Topic: c.Topic,
		Sender: "call-" + at.Device, Log: d.kit.Log, Told: d.calls,
	})
	return err
}

// calls notes why the robot that is to be called is not there; empty if it is.
func (d *driver) calls(why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calling = why
	if d.sender == nil {
		close(d.changed)
		d.changed = make(chan struct{})
	}
}

// complain tells why frames are not received any more, if that is not because ctx has ended.
func (d *driver) complain(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		d.kit.Log.Error("what peers send cannot be received from the bus", "error", err)
	}
}

// begin makes the sender of a publication. It is called by the slot.
func (d *driver) begin(who *peerv1.Publisher) slot.Sender {
	s := sender.New(who, d.slot.WantKeyFrame)
	d.always.Go(s.Run)
	d.set(s, "")
	logBegin(d.kit, who)
	return &publication{Sender: s, who: who, driver: d}
}

// receive takes a frame from the bus, where pictures that stand alone are refused: there is no flow control, and a
// second of them can be hundreds of megabytes.
func (d *driver) receive(f *mediav1.VideoFrame) {
	switch mediaType := f.GetFormat().GetMediaType(); mediaType {
	case media.JPEG, media.Raw:
		_ = d.slot.Refuse(f.GetEpoch(), fmt.Errorf( // may have ended
			"%s cannot be sent on the bus: send H.264 or VP8, or call PeerService.Publish", media.Name(mediaType)))
	default:
		_ = d.slot.Video(f) // its publisher is told of errors by a wish
	}
}

// publication is a sender whose sound is heard, and whose end frees the driver of it.
type publication struct {
	*sender.Sender
	who    *peerv1.Publisher
	driver *driver
}

// Video implements [slot.Sender]. Who goes over from video to pictures that stand alone, or back, is another camera.
func (p *publication) Video(f *mediav1.VideoFrame) error {
	if d := p.driver; !p.Takes(f.GetFormat().GetMediaType()) {
		before := p.Sender
		p.Sender = sender.New(p.who, d.slot.WantKeyFrame)
		d.always.Go(p.Sender.Run)
		d.set(p.Sender, "")
		before.End("the publisher sends pictures of another kind now")
	}
	return p.Sender.Video(f)
}

// Audio implements [slot.Sender].
func (p *publication) Audio(f *mediav1.AudioFrame) {
	if p.driver.sound != nil {
		p.driver.sound.hear(f)
	}
}

// End implements [slot.Sender].
func (p *publication) End(why string) {
	d := p.driver
	logEnd(d.kit, why)
	if d.sound != nil {
		d.sound.end()
	}
	d.set(nil, why)
	p.Sender.End(d.nobody())
}

// nobody is why there is no picture while the slot is free.
func (d *driver) nobody() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calling != "" {
		return "nobody sends: " + d.calling
	}
	why := "nobody sends: publish with WHIP to /whip/" + d.kit.Address().Device +
		" of the gateway, share a camera on the page, or call Publish from a program"
	if d.last != "" {
		why += "; the last publication ended: " + d.last
	}
	return why
}

// set notes who sends, or that nobody does, and why.
func (d *driver) set(s *sender.Sender, last string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sender, d.last = s, last
	close(d.changed)
	d.changed = make(chan struct{})
}

// now returns who sends, and a channel that is closed when that is somebody else.
func (d *driver) now() (*sender.Sender, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sender, d.changed
}

// open waits until somebody sends what can be shown. It fails whenever there is something new to tell about why not.
func (d *driver) open(ctx context.Context) (source.Source, error) {
	for {
		s, changed := d.now()
		if s == nil && d.told.is(d.nobody()) {
			return nil, sender.Away(d.nobody())
		}
		opened, why, err := d.await(ctx, s, changed)
		switch {
		case err != nil || opened != nil:
			return opened, err
		case why != "" && d.told.is(why):
			return nil, sender.Away(why)
		}
	}
}

// await waits for a sender to have something to show. It returns neither a source nor an error when there is another
// sender, or when it takes long; then why.
func (d *driver) await(
	ctx context.Context, s *sender.Sender, changed <-chan struct{},
) (_ source.Source, why string, _ error) {
	var ready <-chan struct{}
	var long <-chan time.Time
	if s != nil {
		ready = s.Ready()
		timer := time.NewTimer(patience)
		defer timer.Stop()
		long = timer.C
	}
	select {
	case <-ctx.Done():
		return nil, "", ctx.Err()
	case <-ready:
		d.told.is("")
		return s, "", nil
	case <-changed:
		return nil, "", nil
	case <-long:
		waits := s.Waits()
		switch {
		case waits == "":
		case d.sound != nil && d.sound.said.Load(): // sound alone is enough
			d.told.is("")
			d.ready()
		default:
			return nil, "somebody has the slot, and sends nothing that can be shown yet: " + waits, nil
		}
		return nil, "", nil
	}
}

// describe tells who sends, in the device's description.
func describe(kit *device.Kit, who *peerv1.Publisher) {
	attributes := map[string]string{
		"publisher": who.GetName(), "program": who.GetProgram(), "via": who.GetVia(), "address": who.GetAddress(),
		"publication": "",
	}
	if who != nil {
		attributes["publication"] = fmt.Sprint(who.GetId())
	}
	kit.SetAttributes(attributes)
}
