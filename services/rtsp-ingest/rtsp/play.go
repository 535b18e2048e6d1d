package rtsp

import (
	"context"
	"errors"
	"sync"
	"time"
)

// play starts the packets.
func (c *Conn) play(ctx context.Context, urls []string, more ...field) error {
	err := c.startAll(ctx, urls, append(fields{{"Range", "npt=0.000-"}}, more...))
	if statusOf(err) == invalidRange || statusOf(err) == badRequest {
		err = c.startAll(ctx, urls, more)
	}
	if statusOf(err) == noAggregate {
		err = c.startEach(ctx, more)
	}
	if err != nil {
		return err
	}
	c.began = time.Now()
	c.attributes["transport"] = string(overTCP)
	if c.tracks[0].udp != nil {
		c.attributes["transport"] = string(overUDP)
	}
	return nil
}

// Statuses after which PLAY may succeed in another way.
const (
	badRequest   = 400
	invalidRange = 457
	noAggregate  = 459 // each stream has to be started
)

// startAll starts all streams with one request.
func (c *Conn) startAll(ctx context.Context, urls []string, extra fields) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel(nil)
	waiting.Go(func() { c.unanswered(ctx, cancel) })
	r, err := c.ask(ctx, "PLAY", urls, extra)
	if errors.Is(context.Cause(ctx), errPlays) {
		return nil
	}
	if err == nil {
		c.renewed(r)
	}
	return err
}

// startEach starts the streams one after the other.
func (c *Conn) startEach(ctx context.Context, extra fields) error {
	for _, t := range c.tracks {
		if err := c.startAll(ctx, t.urls, extra); err != nil {
			return err
		}
	}
	return nil
}

var errPlays = errors.New("it plays")

// settled is how long a camera that sends already may take to answer.
const settled = time.Second

// unanswered ends a request when packets have come for a while: some cameras play without saying so.
func (c *Conn) unanswered(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-c.first:
	case <-ctx.Done():
		return
	}
	select {
	case <-time.After(settled):
		cancel(errPlays)
	case <-ctx.Done():
	}
}

// renewed takes the newest id of the session.
func (c *Conn) renewed(r *response) {
	if id, _ := parseSession(r.fields.get("Session")); c.client.setSession(id) {
		c.place.hold(id, c.timeout)
	}
}

// refusal is an answer with a status that is an error.
type refusal struct {
	error
	status int
}

func (e *refusal) Unwrap() error { return e.error }

// statusOf returns the status with which the camera refused, 0 for another error.
func statusOf(err error) int {
	if e, ok := errors.AsType[*refusal](err); ok {
		return e.status
	}
	return 0
}
