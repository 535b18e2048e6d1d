package insta360

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// conn is a connection that brings pictures. It is a [feed.Conn] and a [feed.KeyFramer].
type conn struct {
	camera *Camera
	link   *link
	video  pictures
	to     func(feed.Picture) // nil before Run
	early  []feed.Picture     // that came before Run
	shown  bool               // there was a picture
	ending sync.Once
}

func newConn(c *Camera, socket net.Conn) *conn {
	n := &conn{camera: c, link: newLink(socket)}
	n.video.emit = n.picture
	n.link.streamed, n.link.notified = n.streamed, n.notified
	return n
}

// greet does what must be done before there are pictures.
func (c *conn) greet(ctx context.Context) error {
	err := c.within(ctx, syncTime, "it does not speak the protocol of Insta360: check the address in url", c.synchronise)
	if err == nil {
		err = c.within(ctx, answerTime, "it did not take the time", c.setTime)
	}
	if err == nil {
		err = c.within(ctx, previewTime, "it did not start its preview: switch it off and on", c.startPreview)
	}
	if err == nil {
		err = c.within(ctx, pictureTime, "neither H.264 nor H.265 came: switch it off and on", c.sniff)
	}
	return err
}

// within runs a part of the greeting. A camera that takes longer is cut off.
func (c *conn) within(ctx context.Context, limit time.Duration, otherwise string, part func() error) error {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(inner, c.link.cut)
	err := part()
	switch {
	case stop():
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return feed.Failf(feed.Away, "url", "the camera did not answer in %v: %s", limit, otherwise)
}

func (c *conn) synchronise() error {
	if err := c.link.send(wire.Packet{Kind: wire.Sync}); err != nil {
		return err
	}
	for !c.link.synced {
		if err := c.link.step(); err != nil {
			return err
		}
	}
	return nil
}

// setTime sets the camera's clock, which it can do without.
func (c *conn) setTime() error {
	_, err := c.link.ask(wire.SetOptions, timeOptions(time.Now()))
	if refused, ok := errors.AsType[*CommandError](err); ok {
		c.camera.failed(refused)
		return nil
	}
	return err
}

// preview is what the camera's own client asks for.
var preview = wire.LiveStream{
	Video: true, Gyro: true, SampleRate: 48000, Resolution: wire.Resolution1440x720p30,
	Resolution1: wire.Resolution424x240p15,
}

func (c *conn) startPreview() error {
	_, err := c.link.ask(wire.StartLiveStream, preview.Marshal())
	if refused, ok := errors.AsType[*CommandError](err); ok {
		c.camera.failed(refused)
		return feed.Failf(feed.Away, "", "%w: stop what it is doing, or switch it off and on", refused)
	}
	return err
}

// sniff reads until it is known which codec the camera uses.
func (c *conn) sniff() error {
	for c.video.mediaType == "" {
		if err := c.link.step(); err != nil {
			return err
		}
	}
	return nil
}

// streamed takes a packet of a stream.
func (c *conn) streamed(p wire.Packet, arrival time.Time) {
	switch p.Type {
	case wire.Video:
		c.video.add(p.Data, p.Time, arrival)
	case wire.Gyro:
		if list := samples(p.Data, p.Time); len(list) > 0 {
			c.camera.samples.Publish(Samples{Arrival: arrival, List: list})
		}
	}
}

func (c *conn) notified(p wire.Packet) { c.camera.happened(notification(p)) }

// picture takes a picture from the assembler.
func (c *conn) picture(p feed.Picture) {
	if c.to == nil {
		c.early = append(c.early, p)
		return
	}
	if !c.shown {
		c.shown = true
		c.camera.happened(Event{Kind: VideoStream, MediaType: p.MediaType})
	}
	c.to(p)
}

// Video implements [feed.Conn].
func (c *conn) Video() feed.Track { return feed.Track{MediaType: c.video.mediaType} }

// Attributes implements [feed.Conn].
func (c *conn) Attributes() map[string]string {
	return map[string]string{"transport": "insta360", "codec": c.video.mediaType}
}

// Run implements [feed.Conn].
func (c *conn) Run(ctx context.Context, to feed.Receiver) error {
	c.to = to.Picture
	if c.to == nil {
		c.to = func(feed.Picture) {}
	}
	for _, p := range c.early {
		c.picture(p)
	}
	c.early = nil
	left := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(left)
		c.leave()
	})
	err := c.read()
	if !stop() {
		<-left
		err = nil
	}
	c.finish(err)
	return err
}

func (c *conn) read() error {
	for {
		if err := c.link.step(); err != nil {
			return err
		}
	}
}

// leave ends the preview and cuts the connection, while Run still reads.
func (c *conn) leave() {
	defer c.link.cut()
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	timer := time.AfterFunc(goodbyeTime, c.link.cut) // a camera that reads nothing is not waited for
	defer timer.Stop()
	_, _ = c.link.call(ctx, wire.StopLiveStream, nil) // the end of the connection says the same
}

// Close implements [feed.Conn].
func (c *conn) Close() error {
	c.finish(nil)
	return nil
}

// finish ends the connection; err is nil if it is not needed any more.
func (c *conn) finish(err error) {
	c.ending.Do(func() {
		why := err
		if why == nil {
			why = feed.Failf(feed.Away, "", "the connection was closed because it is not needed")
		}
		c.camera.absent(why)
		c.link.close(why)
		c.camera.happened(Event{Kind: Disconnected, Err: err})
	})
}

// KeyFrameWays implements [feed.KeyFramer]. It is not known which models obey.
func (c *conn) KeyFrameWays() []feed.Way {
	return []feed.Way{{Name: "REQUEST_IFRAME", Ask: func(context.Context) error {
		sequence, _, err := c.link.begin(wire.RequestIFrame, nil)
		c.link.forget(sequence)
		return err
	}}}
}
