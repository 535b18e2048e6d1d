package rtmp

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/bluenviron/gortmplib/pkg/message"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Limits are how long something may take; zero values stand for the usual ones.
type Limits struct {
	Connect time.Duration // until a connection stands, TLS included: 3 s
	Codecs  time.Duration // until a server answers a list of codecs, which some do not understand: 1 s
	Answer  time.Duration // until handshake and commands are over: 10 s
	Picture time.Duration // until the first picture of a server is announced: 15 s
	Blind   time.Duration // until people are told of a publisher without a picture, which may stay: 3 s
	Silence time.Duration // without a byte: 10 s
	Alone   time.Duration // without a publisher, until people are told: 2 s
}

func (l Limits) filled() Limits {
	usual := Limits{
		Connect: 3 * time.Second, Codecs: time.Second, Answer: 10 * time.Second, Picture: 15 * time.Second,
		Blind: 3 * time.Second, Silence: 10 * time.Second, Alone: 2 * time.Second,
	}
	for _, one := range []struct{ value, usual *time.Duration }{
		{&l.Connect, &usual.Connect}, {&l.Codecs, &usual.Codecs}, {&l.Answer, &usual.Answer},
		{&l.Picture, &usual.Picture}, {&l.Blind, &usual.Blind}, {&l.Silence, &usual.Silence}, {&l.Alone, &usual.Alone},
	} {
		if *one.value <= 0 {
			*one.value = *one.usual
		}
	}
	return l
}

// Conn is a connection over which pictures come. It implements [feed.Conn].
type Conn struct {
	session    *session
	limits     Limits
	tracks     tracks
	first      []feed.Picture // what came while the video was looked for
	attributes map[string]string
	began      time.Time // when the video was looked for first
	pushed     bool      // a publisher's
	told       bool      // people know that a publisher has sent no picture yet

	mu    sync.Mutex
	ended error // why we closed it
}

func newConn(s *session, limits Limits, attributes map[string]string) *Conn {
	return &Conn{session: s, limits: limits, attributes: attributes}
}

// errBlind is of a publisher that stays, though people are told.
var errBlind = feed.Failf(feed.Unreachable, "listen",
	"a publisher is there, but has sent no pictures in H.264 or H.265 yet: "+
		"add a video source there, and choose one of these codecs")

// find reads until it is known how pictures are sent. It may be called again after errBlind, which comes once.
func (c *Conn) find(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.end(ctx.Err()) })
	defer stop()
	c.tracks.to.Picture = func(p feed.Picture) { c.first = append(c.first, p) }
	if c.began.IsZero() {
		c.began = time.Now()
	}
	for c.tracks.video.MediaType == "" {
		switch waited := time.Since(c.began); {
		case c.pushed && !c.told && waited > c.limits.Blind:
			c.told = true
			return errBlind
		case !c.pushed && waited > c.limits.Picture:
			return feed.Failf(feed.Unsupported, "url",
				"no H.264 or H.265 video came in %s: set the sender to one of them", c.limits.Picture)
		}
		if err := c.next(); dial.IsTimeout(err) {
			return feed.Failf(feed.Away, "url", "nothing has come for %s: check that somebody publishes there, and set "+
				"them to H.264, since some servers do not pass on H.265", c.limits.Silence)
		} else if err != nil {
			return c.reason(err)
		}
	}
	return nil
}

// next handles one message.
func (c *Conn) next() error {
	m, err := c.session.read()
	if err != nil {
		return err
	}
	if command, ok := m.(*message.CommandAMF0); ok {
		return status(command)
	}
	c.tracks.take(m, time.Now())
	return nil
}

// Video implements [feed.Conn].
func (c *Conn) Video() feed.Track { return c.tracks.video }

// Attributes implements [feed.Conn].
func (c *Conn) Attributes() map[string]string { return c.attributes }

// Close implements [feed.Conn].
func (c *Conn) Close() error {
	c.end(errors.New("closed"))
	return nil
}

// end closes the connection for a reason. It may be called from any goroutine; the first reason counts.
func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = why
	}
	_ = c.session.wire.Conn.Close() // it only receives
}

// Run implements [feed.Conn].
func (c *Conn) Run(ctx context.Context, to feed.Receiver) error {
	stop := context.AfterFunc(ctx, func() { c.end(ctx.Err()) })
	defer stop()
	defer c.end(errors.New("over"))
	c.tracks.to = to
	for _, p := range c.first {
		if to.Picture != nil {
			to.Picture(p)
		}
	}
	c.first = nil
	for {
		if err := c.next(); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return c.reason(err)
		}
	}
}

// reason says why no more comes.
func (c *Conn) reason(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ours, ok := errors.AsType[*feed.Error](c.ended); ok {
		return ours
	}
	if _, ok := errors.AsType[*feed.Error](err); ok {
		return err
	}
	switch {
	case dial.IsTimeout(err):
		return feed.Failf(feed.Away, "url", "nothing has come for %s", c.limits.Silence)
	case errors.Is(err, io.EOF):
		return feed.Failf(feed.Away, "url", "the sender has ended the stream")
	}
	return feed.Failf(feed.Away, "url", "the connection has gone")
}

// status returns an error if a command says that no more comes.
func status(c *message.CommandAMF0) error {
	switch c.Name {
	case "onStatus", "_error":
	case "FCUnpublish", "deleteStream", "closeStream":
		return feed.Failf(feed.Away, "url", "the sender has ended the stream")
	default:
		return nil
	}
	code := text(c, 1, "code")
	switch code {
	case "NetStream.Play.StreamNotFound", "NetStream.Play.FileStructureInvalid":
		return feed.Failf(feed.NotFound, "url",
			"url: the server has no such stream: check the path, and that somebody publishes there")
	case "NetStream.Play.UnpublishNotify", "NetStream.Play.Stop", "NetStream.Play.Complete":
		return feed.Failf(feed.Away, "url", "the server has ended the stream")
	case "NetConnection.Connect.Rejected", "NetConnection.Connect.InvalidApp":
		return feed.Failf(feed.Refused, "url", "url: the server refuses the connection: check path, user and password")
	}
	if text(c, 1, "level") == "error" {
		return feed.Failf(feed.NotFound, "url",
			"url: the server does not play the stream: check the path, user and password")
	}
	return nil
}
