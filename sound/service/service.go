// Package service serves waldo.audio.v1.AudioService on top of a microphone's pipeline and a mixer. Its methods may be
// called concurrently; it starts no goroutines, and calls end when the device stops.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/playout"
)

// Config is what the service serves. A part that is nil is not configured.
type Config struct {
	Microphone *capture.Pipeline
	Speaker    *playout.Speaker
	Levels     *playout.Levels
	// NoMicrophone and NoSpeaker say what to do about it if there is none, for people: "set speaker to …".
	NoMicrophone, NoSpeaker string
	List                    func() ([]*audiov1.SoundDevice, error)
	Stopping                context.Context // ends when the device stops
}

// Service implements the gRPC service. Microphone and Speaker say whether the hardware is there.
type Service struct {
	audiov1.UnimplementedAudioServiceServer
	Microphone, Speaker *Presence

	config Config
}

// New returns a service whose hardware is away.
func New(config Config) *Service {
	return &Service{config: config, Microphone: newPresence(config.Stopping), Speaker: newPresence(config.Stopping)}
}

// Attach reports that the hardware is there, of both microphone and speaker.
func (s *Service) Attach() {
	s.Microphone.Attach()
	s.Speaker.Attach()
}

// Detach reports that the hardware is gone, and why. Calls that play end.
func (s *Service) Detach(why error) {
	s.Microphone.Detach(why)
	s.Speaker.Detach(why)
}

// ListDevices implements AudioService.
func (s *Service) ListDevices(context.Context, *audiov1.ListDevicesRequest) (*audiov1.ListDevicesResponse, error) {
	devices, err := s.config.List()
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "the sound devices cannot be listed: %v", err)
	}
	return &audiov1.ListDevicesResponse{Devices: devices}, nil
}

// StreamAudio implements AudioService.
func (s *Service) StreamAudio(r *audiov1.StreamAudioRequest, to audiov1.AudioService_StreamAudioServer) error {
	from, at, err := s.tap(r.GetTap())
	if err != nil {
		return err
	}
	if _, err := at.present(); err != nil {
		return toStatus(err)
	}
	reader, err := from.Open(r.GetFormat(), int(r.GetBlockSamples()))
	if err != nil {
		return toStatus(err)
	}
	defer reader.Close()
	ctx, cancel := s.during(to.Context())
	defer cancel()
	for {
		frame, err := reader.Next(ctx)
		if err != nil {
			return toStatus(because(ctx, err))
		}
		if err := to.Send(&audiov1.StreamAudioResponse{Frame: frame, DroppedCount: reader.Dropped()}); err != nil {
			return err
		}
	}
}

// during returns the context of a call that goes on while the hardware is away, but not when the device stops.
func (s *Service) during(call context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(call)
	forget := context.AfterFunc(s.config.Stopping, func() { cancel(device.ErrStopping) })
	return ctx, func() {
		forget()
		cancel(nil)
	}
}

// because returns why ctx has ended, or the error if it has not.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (s *Service) errNoMicrophone() error {
	return status.Error(codes.FailedPrecondition, "this device has no microphone: "+s.config.NoMicrophone)
}

func (s *Service) errNoSpeaker() error {
	return status.Error(codes.FailedPrecondition, "this device has no speaker: "+s.config.NoSpeaker)
}

func (s *Service) tap(t audiov1.AudioTap) (*capture.Pipeline, *Presence, error) {
	switch t {
	case audiov1.AudioTap_AUDIO_TAP_UNSPECIFIED, audiov1.AudioTap_AUDIO_TAP_MICROPHONE:
		if s.config.Microphone == nil {
			return nil, nil, s.errNoMicrophone()
		}
		return s.config.Microphone, s.Microphone, nil
	case audiov1.AudioTap_AUDIO_TAP_SPEAKER:
		if s.config.Speaker == nil {
			return nil, nil, s.errNoSpeaker()
		}
		return s.config.Speaker.Heard, s.Speaker, nil
	}
	return nil, nil, status.Errorf(codes.InvalidArgument,
		"tap is %d, must be AUDIO_TAP_MICROPHONE or AUDIO_TAP_SPEAKER", t)
}

// PlayAudio implements AudioService.
func (s *Service) PlayAudio(from audiov1.AudioService_PlayAudioServer) error {
	if s.config.Speaker == nil {
		return s.errNoSpeaker()
	}
	here, err := s.Speaker.present()
	if err != nil {
		return toStatus(err)
	}
	ctx, cancel := context.WithCancelCause(from.Context())
	defer cancel(nil)
	defer context.AfterFunc(here, func() { cancel(context.Cause(here)) })()
	played, err := s.play(ctx, from)
	if err != nil {
		return toStatus(because(ctx, err))
	}
	return from.SendAndClose(played)
}

func (s *Service) play(ctx context.Context, from audiov1.AudioService_PlayAudioServer) (*audiov1.PlayAudioResponse,
	error) {
	var feed *playout.Feed
	for {
		r, err := from.Recv()
		switch {
		case errors.Is(err, io.EOF) && feed == nil:
			return &audiov1.PlayAudioResponse{Played: durationpb.New(0)}, nil
		case errors.Is(err, io.EOF):
			if err := feed.Drain(ctx); err != nil {
				return nil, err
			}
			return &audiov1.PlayAudioResponse{Played: durationpb.New(feed.Played())}, nil
		case err != nil:
			return nil, err
		case r.GetFrame() == nil:
			return nil, fmt.Errorf("%w: frame is missing", pcm.ErrFormat)
		}
		if feed == nil {
			if feed, err = s.open(r.GetFrame().GetTalker()); err != nil {
				return nil, err
			}
			defer func() { _ = feed.Close() }() // cannot fail
		}
		if err := feed.Write(ctx, r.GetFrame()); err != nil {
			return nil, err
		}
	}
}

// maxName bounds the name of a talker, in bytes.
const maxName = 128

func (s *Service) open(name string) (*playout.Feed, error) {
	switch {
	case name == "":
		name = "a program"
	case len(name) > maxName:
		return nil, fmt.Errorf("%w: talker has %d bytes, must be at most %d", pcm.ErrFormat, len(name), maxName)
	case !text.IsPrintable(name):
		return nil, fmt.Errorf("%w: talker is %q: use printable characters only", pcm.ErrFormat, name)
	}
	return s.config.Speaker.Mixer.Open(name, nil)
}

// StreamLevels implements AudioService.
func (s *Service) StreamLevels(_ *audiov1.StreamLevelsRequest, to audiov1.AudioService_StreamLevelsServer) error {
	levels := s.config.Levels.Subscribe()
	defer levels.Close()
	ctx, cancel := s.during(to.Context())
	defer cancel()
	for {
		l, err := levels.Next(ctx)
		if err != nil {
			return toStatus(because(ctx, err))
		}
		if err := to.Send(l); err != nil {
			return err
		}
	}
}

// toStatus gives an error its gRPC code.
func toStatus(err error) error {
	return device.Status(err, map[error]codes.Code{
		playout.ErrClosed:  codes.Unavailable,
		pcm.ErrFormat:      codes.InvalidArgument,
		capture.ErrTooMany: codes.ResourceExhausted,
		playout.ErrTooMany: codes.ResourceExhausted,
		playout.ErrTooLong: codes.ResourceExhausted,
	})
}
