package service

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/video/pipeline/limits"
)

// Bounds of SetBitrate and LimitBitrate, in bit/s.
const (
	MinBitrate = 50_000
	MaxBitrate = 50_000_000
)

// SetBitrate implements CameraService.
func (s *Service) SetBitrate(_ context.Context, r *camerav1.SetBitrateRequest) (*camerav1.SetBitrateResponse, error) {
	bps := r.GetBitrateBps()
	if bps < MinBitrate || bps > MaxBitrate {
		return nil, status.Errorf(codes.OutOfRange, "bitrate_bps is %d, must be %d to %d", bps, MinBitrate, MaxBitrate)
	}
	if err := s.present(); err != nil {
		return nil, err
	}
	if err := s.pipeline.SetBitrate(int(bps)); err != nil {
		return nil, s.status(err)
	}
	return &camerav1.SetBitrateResponse{BitrateBps: bps}, nil
}

// LimitBitrate implements CameraService.
func (s *Service) LimitBitrate(_ context.Context, r *camerav1.LimitBitrateRequest) (*camerav1.LimitBitrateResponse,
	error) {
	if err := s.present(); err != nil {
		return nil, err
	}
	wanted, err := s.stream(r.GetStream())
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	bitrate, err := s.pipeline.LimitBitrate(wanted.Content, limit)
	if err != nil {
		return nil, s.status(err)
	}
	return &camerav1.LimitBitrateResponse{BitrateBps: bitrate.InForce, ConfiguredBps: bitrate.Configured}, nil
}

// limitOf reads a request. Its errors are statuses.
func limitOf(r *camerav1.LimitBitrateRequest) (limits.Limit, error) {
	l := limits.Limit{Holder: r.GetHolder(), Bitrate: r.GetBitrateBps(), TTL: r.GetTtl().AsDuration()}
	if ttl := r.GetTtl(); ttl != nil && ttl.CheckValid() != nil {
		return l, status.Errorf(codes.InvalidArgument, "ttl is not a duration: %v", ttl.CheckValid())
	}
	if err := l.Check(); err != nil {
		return l, status.Error(codes.InvalidArgument, err.Error())
	}
	if bps := l.Bitrate; l.TTL > 0 && bps != 0 && (bps < MinBitrate || bps > MaxBitrate) {
		return l, status.Errorf(codes.OutOfRange, "bitrate_bps is %d, must be 0 for a pause, or %d to %d", bps, MinBitrate,
			MaxBitrate)
	}
	return l, nil
}
