package service

import (
	"context"
	"net"

	"google.golang.org/grpc/peer"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/shared"
)

// StreamFrames implements CameraService.
func (s *Service) StreamFrames(r *camerav1.StreamFramesRequest, out camerav1.CameraService_StreamFramesServer) error {
	want := withDefault(r.GetFormat(), s.streams[0].Content.MediaType)
	reader, err := s.pipeline.Open(want)
	if err != nil {
		return s.status(err)
	}
	defer reader.Close()
	place := inMessage
	if r.GetSharedMemory() && want.GetMediaType() == media.Raw && onThisMachine(out.Context()) {
		share := s.memory.Join(reader.Variant())
		defer share.Close()
		place = share.Place
	}
	for {
		frame, err := reader.Next(out.Context())
		if err != nil {
			return s.status(err)
		}
		step := &camerav1.StreamFramesResponse{Frame: frame, DroppedCount: reader.Dropped()}
		if step.Shared = place(frame); step.Shared != nil {
			step.Frame = shared.WithData(frame, nil)
		}
		if err := out.Send(step); err != nil {
			return err
		}
	}
}

// inMessage is the place of pictures that go in the message.
func inMessage(*mediav1.VideoFrame) *camerav1.SharedPicture { return nil }

// onThisMachine reports whether a caller may be able to open memory of this process, as far as its address tells.
func onThisMachine(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil || p.LocalAddr == nil {
		return false
	}
	from, ok := p.Addr.(*net.TCPAddr)
	to, tcp := p.LocalAddr.(*net.TCPAddr)
	if !ok || !tcp {
		return p.Addr.Network() == "unix"
	}
	return from.IP.IsLoopback() || from.IP.Equal(to.IP)
}
