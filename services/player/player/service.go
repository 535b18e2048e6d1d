package player

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/recording/play"
)

// service is PlayerService.
type service struct {
	playerv1.UnimplementedPlayerServiceServer
	*driver
}

// Play implements PlayerService.
func (s *service) Play(context.Context, *playerv1.PlayRequest) (*playerv1.PlayResponse, error) {
	return &playerv1.PlayResponse{State: s.state(s.transport.play())}, nil
}

// Pause implements PlayerService.
func (s *service) Pause(context.Context, *playerv1.PauseRequest) (*playerv1.PauseResponse, error) {
	return &playerv1.PauseResponse{State: s.state(s.transport.pause())}, nil
}

// Seek implements PlayerService.
func (s *service) Seek(_ context.Context, r *playerv1.SeekRequest) (*playerv1.SeekResponse, error) {
	offset := r.GetOffset()
	if offset != nil && offset.CheckValid() != nil || offset.AsDuration() < 0 {
		return nil, status.Errorf(codes.OutOfRange, "offset: %v is not a place in the recording: use 0s to %v",
			offset.AsDuration(), s.recording.Duration())
	}
	return &playerv1.SeekResponse{State: s.state(s.transport.seek(offset.AsDuration()))}, nil
}

// SetSpeed implements PlayerService.
func (s *service) SetSpeed(_ context.Context, r *playerv1.SetSpeedRequest) (*playerv1.SetSpeedResponse, error) {
	if !play.CheckSpeed(r.GetSpeed()) {
		return nil, status.Errorf(codes.OutOfRange, "speed: %v is out of range: use %v to %v", r.GetSpeed(), play.Slowest,
			play.Fastest)
	}
	return &playerv1.SetSpeedResponse{State: s.state(s.transport.setSpeed(r.GetSpeed()))}, nil
}

// SetLoop implements PlayerService.
func (s *service) SetLoop(_ context.Context, r *playerv1.SetLoopRequest) (*playerv1.SetLoopResponse, error) {
	return &playerv1.SetLoopResponse{State: s.state(s.transport.setLoop(r.GetLoop()))}, nil
}

// GetPlayer implements PlayerService.
func (s *service) GetPlayer(context.Context, *playerv1.GetPlayerRequest) (*playerv1.GetPlayerResponse, error) {
	return &playerv1.GetPlayerResponse{State: s.state(s.transport.get())}, nil
}

// WatchPlayer implements PlayerService.
func (s *service) WatchPlayer(_ *playerv1.WatchPlayerRequest,
	to grpc.ServerStreamingServer[playerv1.WatchPlayerResponse]) error {
	now := func() *playerv1.PlayerState { return s.state(s.transport.get()) }
	return device.Watch(s.kit, to, s.states, now, func(state *playerv1.PlayerState) *playerv1.WatchPlayerResponse {
		return &playerv1.WatchPlayerResponse{State: state}
	})
}
