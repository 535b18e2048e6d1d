package peer

import (
	"context"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

// maxWord bounds what a publisher says of itself, in characters.
const maxWord = 64

// peers implements PeerService.
type peers struct {
	peerv1.UnimplementedPeerServiceServer
	slot *slot.Slot
}

// codesOf maps the errors of the slot.
var codesOf = map[error]codes.Code{
	slot.ErrTaken: codes.AlreadyExists, slot.ErrEnded: codes.NotFound, slot.ErrStopping: codes.Unavailable,
}

// Begin implements PeerService.
func (s *peers) Begin(_ context.Context, r *peerv1.BeginRequest) (*peerv1.BeginResponse, error) {
	who := r.GetPublisher()
	for field, word := range map[string]string{
		"name": who.GetName(), "program": who.GetProgram(), "address": who.GetAddress(), "via": who.GetVia(),
	} {
		if utf8.RuneCountInString(word) > maxWord || !text.IsPrintable(word) {
			return nil, status.Errorf(codes.InvalidArgument, "publisher.%s: use at most %d characters, all of them printable",
				field, maxWord)
		}
	}
	granted, err := s.slot.Begin(who, r.GetTake())
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
