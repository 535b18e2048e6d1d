package peer

import (
	"context"
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

// maxWord bounds what a publisher says of itself, in characters.
const maxWord = 64

// peers implements PeerService.
type peers struct {
	peerv1.UnimplementedPeerServiceServer
	slot    *slot.Slot
	carries carries
	readers *stream.Demand
	work    *sync.WaitGroup // of calls of Publish
}

// carries is what a slot carries.
type carries struct {
	// begin makes what takes the steps of a publication.
	begin func(*slot.Publication) taker
	most  rate.Limit // bytes a second
	// messages are what readers get; nil if it does not carry messages.
	messages *stream.Topic[*peerv1.Message]
}

// taker takes what a program sends in one call of Publish.
type taker interface {
	// take takes a step that is neither begin nor idle nor end. The error names the field.
	take(context.Context, *peerv1.PublishRequest) error
	// close is called at the end.
	close()
}

// codesOf maps the errors of the slot.
var codesOf = map[error]codes.Code{
	slot.ErrTaken: codes.AlreadyExists, slot.ErrEnded: codes.NotFound, slot.ErrStopping: codes.Unavailable,
	slot.ErrSilent: codes.DeadlineExceeded,
}

// status gives an error of Publish its code: what is none of the slot's is about what was sent.
func (*peers) status(err error) error {
	var lost slot.Lost
	switch {
	case errors.As(err, &lost):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, slot.ErrTaken), errors.Is(err, slot.ErrStopping), errors.Is(err, slot.ErrSilent),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return device.Status(err, codesOf)
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.InvalidArgument, err.Error())
}

// checkPublisher bounds what a publisher says of itself.
func checkPublisher(who *peerv1.Publisher) error {
	for field, word := range map[string]string{
		"name": who.GetName(), "program": who.GetProgram(), "address": who.GetAddress(), "via": who.GetVia(),
	} {
		if utf8.RuneCountInString(word) > maxWord || !text.IsPrintable(word) {
			return status.Errorf(codes.InvalidArgument, "publisher.%s: use at most %d characters, all of them printable",
				field, maxWord)
		}
	}
	return nil
}

// Begin implements PeerService.
func (s *peers) Begin(_ context.Context, r *peerv1.BeginRequest) (*peerv1.BeginResponse, error) {
	if s.carries.messages != nil {
		return nil, status.Error(codes.FailedPrecondition, "this slot carries messages: send them with Publish")
	}
	if err := checkPublisher(r.GetPublisher()); err != nil {
		return nil, err
	}
	granted, err := s.slot.Begin(r.GetPublisher(), r.GetTake())
	return granted, device.Status(err, codesOf)
}

// End implements PeerService.
func (s *peers) End(_ context.Context, r *peerv1.EndRequest) (*peerv1.EndResponse, error) {
	if err := s.slot.End(r.GetEpoch()); err != nil {
		return nil, device.Status(err, codesOf)
	}
	return &peerv1.EndResponse{}, nil
}

// GetPublisher implements PeerService.
func (s *peers) GetPublisher(context.Context, *peerv1.GetPublisherRequest) (*peerv1.GetPublisherResponse, error) {
	return s.slot.Publisher(), nil
}

// StreamMessages implements PeerService.
func (s *peers) StreamMessages(
	_ *peerv1.StreamMessagesRequest, to grpc.ServerStreamingServer[peerv1.StreamMessagesResponse],
) error {
	if s.carries.messages == nil {
		return status.Error(codes.FailedPrecondition,
			"this slot carries video: read it with CameraService, or have it carry messages with `carries: messages`")
	}
	messages := s.carries.messages.Subscribe(stream.DropOldest(maxMessages).Within(inflight.MaxWait))
	defer messages.Close()
	for m, err := range messages.All(to.Context()) {
		if err != nil {
			return device.Status(err, nil)
		}
		if err := to.Send(&peerv1.StreamMessagesResponse{Message: m, DroppedCount: int64(messages.Lost())}); err != nil {
			return err
		}
	}
	return device.Status(slot.ErrStopping, codesOf)
}

// register registers what the slot counts.
func register(to prometheus.Registerer, s *slot.Slot) {
	for name, of := range map[string]struct {
		help  string
		count func(slot.Stats) uint64
	}{
		"publications_total": {"Publishers that got the slot.", func(s slot.Stats) uint64 { return s.Publications }},
		"foreign_frames_total": {"Frames that were dropped because they are not of whoever has the slot.",
			func(s slot.Stats) uint64 { return s.Foreign }},
		"excess_frames_total": {"Frames of video that were dropped because of maxBitrate.",
			func(s slot.Stats) uint64 { return s.Excess }},
	} {
		to.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "waldo_peer_" + name, Help: of.help},
			func() float64 { return float64(of.count(s.Stats())) }))
	}
}
