package server

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/publish"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// Publishers gets the slots of devices for what peers send.
type Publishers interface {
	// Open gets the slot of a device. Without take it fails with codes.AlreadyExists while somebody else has it.
	Open(ctx context.Context, device string, who *peerv1.Publisher, take bool) (*publish.Publication, error)
}

// errNoPublishers is what a gateway without them answers.
var errNoPublishers = status.Error(codes.Unimplemented, "this gateway accepts no video or sound for devices")

// sharing is what one connection sends to devices.
type sharing struct {
	publishers Publishers // nil: none are accepted
	from       string     // where the peer is, host:port; empty if that is not known

	mu   sync.Mutex // one offer at a time
	open map[string]*publish.Publication
}

// answer answers an offer, some of whose sections may send to devices. It gets the slots that are needed, and gives
// back those that are not any more.
func (s *sharing) answer(ctx context.Context, peer *rtc.Peer, sdp string, tracks []rtc.Track) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	opened, err := s.prepare(ctx, peer, tracks)
	if err != nil {
		closeAll(opened)
		return "", err
	}
	answer, err := peer.Answer(ctx, sdp, tracks)
	if err != nil {
		closeAll(opened)
		return "", err
	}
	s.adopt(opened, tracks)
	return answer, nil
}

// prepare gives sinks to the tracks that need them, and returns the publications that it opened for that.
func (s *sharing) prepare(ctx context.Context, peer *rtc.Peer,
	tracks []rtc.Track) (opened map[string]*publish.Publication, err error) {
	opened = make(map[string]*publish.Publication)
	for i := range tracks {
		t := &tracks[i]
		if t.Stream.Name != rtc.Camera && t.Stream.Name != rtc.Microphone {
			continue
		}
		device := t.Stream.Device
		n := s.open[device]
		if n == nil || ended(n) {
			n = opened[device]
		}
		if n == nil {
			if n, err = s.begin(ctx, peer, *t); err != nil {
				return opened, err
			}
			opened[device] = n
		}
		if t.Sink = n.Video(); t.Stream.Name == rtc.Microphone {
			t.Sink = n.Audio()
		}
	}
	return opened, nil
}

func (s *sharing) begin(ctx context.Context, peer *rtc.Peer, t rtc.Track) (*publish.Publication, error) {
	if s.publishers == nil {
		return nil, errNoPublishers
	}
	name := t.Talker
	if name == "" {
		name = peer.ID()
	}
	return s.publishers.Open(ctx, t.Stream.Device, &peerv1.Publisher{Name: name, Address: s.from, Via: "page"}, t.Take)
}

// adopt keeps the publications that were opened, and closes those that no track uses any more.
func (s *sharing) adopt(opened map[string]*publish.Publication, tracks []rtc.Track) {
	used := make(map[string]bool)
	for _, t := range tracks {
		used[t.Stream.Device] = used[t.Stream.Device] || t.Stream.Name == rtc.Camera || t.Stream.Name == rtc.Microphone
	}
	for device, n := range s.open {
		if !used[device] || opened[device] != nil {
			n.Close()
			delete(s.open, device)
		}
	}
	for device, n := range opened {
		if s.open == nil {
			s.open = make(map[string]*publish.Publication)
		}
		s.open[device] = n
	}
}

// close gives all slots back.
func (s *sharing) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	closeAll(s.open)
	s.open = nil
}

func closeAll(publications map[string]*publish.Publication) {
	for _, n := range publications {
		n.Close()
	}
}

// ended reports whether a publication has ended by itself.
func ended(n *publish.Publication) bool {
	select {
	case <-n.Done():
		return true
	default:
		return false
	}
}
