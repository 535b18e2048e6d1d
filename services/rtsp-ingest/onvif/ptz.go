package onvif

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Velocity says how a picture moves: each from -1 to 1, which is as fast as the camera can. Pan is to the right, tilt
// up, zoom in.
type Velocity struct{ Pan, Tilt, Zoom float64 }

// Motion is what a camera says of its movement.
type Motion int

// What a camera says of its movement.
const (
	MotionUnknown Motion = iota // it does not say
	MotionIdle
	MotionMoving
)

// Move has a picture move until it is stopped or moved otherwise. With a limit the camera is told to stop by itself
// after it; many do not, and some refuse the limit.
func (c *Client) Move(ctx context.Context, p Profile, v Velocity, limit time.Duration) error {
	var body strings.Builder
	write := func(format string, args ...any) { _, _ = fmt.Fprintf(&body, format, args...) } // never fails
	write("%s<Velocity>", profile(p.Token))
	if p.PanTilt {
		write(`<t:PanTilt x="%s" y="%s"/>`, decimal(v.Pan), decimal(v.Tilt))
	}
	if p.Zoom {
		write(`<t:Zoom x="%s"/>`, decimal(v.Zoom))
	}
	write("</Velocity>")
	if limit > 0 {
		write("<Timeout>PT%sS</Timeout>", decimal(limit.Seconds()))
	}
	_, err := c.ptz(ctx, "ContinuousMove", body.String())
	return err
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 32) }

// Stop ends a movement.
func (c *Client) Stop(ctx context.Context, p Profile) error {
	body := profile(p.Token)
	if p.PanTilt {
		body += "<PanTilt>true</PanTilt>"
	}
	if p.Zoom {
		body += "<Zoom>true</Zoom>"
	}
	_, err := c.ptz(ctx, "Stop", body)
	return err
}

// Motion asks whether a picture moves.
func (c *Client) Motion(ctx context.Context, p Profile) (Motion, error) {
	answer, err := c.ptz(ctx, "GetStatus", profile(p.Token))
	if err != nil {
		return MotionUnknown, err
	}
	return readMotion(answer, p), nil
}

// readMotion is that of all axes together.
func readMotion(answer *node, p Profile) Motion {
	motion := MotionIdle
	for _, axis := range []struct {
		name string
		has  bool
	}{{"PanTilt", p.PanTilt}, {"Zoom", p.Zoom}} {
		if !axis.has {
			continue
		}
		switch strings.ToUpper(answer.value("MoveStatus", axis.name)) {
		case "MOVING":
			return MotionMoving
		case "IDLE":
		default:
			motion = MotionUnknown
		}
	}
	return motion
}

func (c *Client) ptz(ctx context.Context, name, body string) (*node, error) {
	services, err := c.Services(ctx)
	if err != nil {
		return nil, err
	}
	target := services[nsPTZ]
	if target == "" {
		return nil, feed.Failf(feed.Unsupported, c.config.Key, "the camera cannot be moved by ONVIF")
	}
	return c.call(ctx, target, operation{service: nsPTZ, name: name, body: body})
}
