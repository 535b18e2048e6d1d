package insta360

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// call sends a command over the present connection and waits for the answer. Failures of the command become events.
func (c *Camera) call(ctx context.Context, code wire.Code, body []byte) ([]byte, error) {
	l, err := c.present()
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	b, err := l.call(inner, code, body)
	refused, ok := errors.AsType[*CommandError](err)
	switch {
	case ok:
		c.failed(refused)
	case err != nil && inner.Err() != nil && ctx.Err() == nil:
		silent := &CommandError{Command: code, Message: "nothing came in " + answerTime.String()}
		c.failed(silent)
		return nil, fmt.Errorf("%w (%w)", silent, err)
	}
	return b, err
}

func (c *Camera) failed(e *CommandError) { c.happened(Event{Kind: CommandFailed, Err: e}) }

// Info asks for what the camera tells about itself.
func (c *Camera) Info(ctx context.Context) (wire.Options, error) {
	b, err := c.call(ctx, wire.GetOptions, wire.WantOptions(wire.OptionBattery, wire.OptionLocalTime, wire.OptionTimeZone,
		wire.OptionSerial, wire.OptionUUID, wire.OptionStorage, wire.OptionFirmware, wire.OptionCameraType))
	if err != nil {
		return wire.Options{}, err
	}
	_, o, err := wire.ParseOptions(b)
	return o, err
}

// SetTime sets the camera's clock and time zone: those of t.
func (c *Camera) SetTime(ctx context.Context, t time.Time) error {
	_, err := c.call(ctx, wire.SetOptions, timeOptions(t))
	return err
}

func timeOptions(t time.Time) []byte {
	_, offset := t.Zone()
	return wire.MarshalOptions(wire.Options{LocalTime: t.Unix(), TimeZone: int32(offset)}, wire.OptionLocalTime,
		wire.OptionTimeZone)
}

// TakePicture takes a picture.
func (c *Camera) TakePicture(ctx context.Context) error {
	_, err := c.call(ctx, wire.TakePicture, wire.Mode(wire.ModeNormalPicture))
	return err
}

// StartCapture begins a recording.
func (c *Camera) StartCapture(ctx context.Context) error {
	_, err := c.call(ctx, wire.StartCapture, wire.Mode(wire.ModeNormalCapture))
	return err
}

// StopCapture ends the recording. The file has no URI if the camera does not tell.
func (c *Camera) StopCapture(ctx context.Context) (wire.File, error) {
	b, err := c.call(ctx, wire.StopCapture, nil)
	if err != nil {
		return wire.File{}, err
	}
	return wire.ParseStopCapture(b)
}

// CaptureStatus asks whether the camera records.
func (c *Camera) CaptureStatus(ctx context.Context) (wire.CaptureStatus, error) {
	b, err := c.call(ctx, wire.GetCaptureStatus, nil)
	if err != nil {
		return wire.CaptureStatus{}, err
	}
	return wire.ParseCaptureStatus(b)
}

// Files lists files of the card from start on, limit at most. The camera, which returns only some at a time, is asked
// until there are enough or no more.
func (c *Camera) Files(ctx context.Context, start, limit int32) (wire.Files, error) {
	all := wire.Files{}
	for int32(len(all.URIs)) < limit {
		have := int32(len(all.URIs))
		b, err := c.call(ctx, wire.GetFileList, wire.FileList{
			MediaType: wire.VideoAndPhoto, Start: start + have, Limit: limit - have,
		}.Marshal())
		if err != nil {
			return wire.Files{}, err
		}
		part, err := wire.ParseFiles(b)
		if err != nil {
			return wire.Files{}, err
		}
		all.Total = part.Total
		all.URIs = slices.Concat(all.URIs, part.URIs[:min(len(part.URIs), int(limit-have))])
		if len(part.URIs) == 0 || start+int32(len(all.URIs)) >= part.Total {
			break
		}
	}
	return all, nil
}
