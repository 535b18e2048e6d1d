// Package fakeslot is a device of the kind `peer` for tests: it gives its slot away, keeps what comes, and wishes what
// the test wants.
package fakeslot

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// MaxBitrate is what publishers are told.
const MaxBitrate = 3_000_000

// Slot is a running device.
type Slot struct {
	peerv1.UnimplementedPeerServiceServer
	*device.Process

	// Video and Audio have what came with the granted epoch.
	Video chan *mediav1.VideoFrame
	Audio chan *mediav1.AudioFrame

	kit        *device.Kit
	camera     *device.In[*mediav1.VideoFrame]
	microphone *device.In[*mediav1.AudioFrame]
	wishes     *device.Out[*peerv1.Wish]

	mu    sync.Mutex
	who   *peerv1.Publisher // nil: nobody
	epoch int64
	begun int
	no    int // refusals
}

// Start starts a life of a device on a bus.
func Start(url, robot, name string) (*Slot, error) {
	s := &Slot{Video: make(chan *mediav1.VideoFrame, 1000), Audio: make(chan *mediav1.AudioFrame, 1000)}
	kind := device.Kind[struct{}]{Name: "peer", Version: "1.0.0",
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			peerv1.RegisterPeerServiceServer(kit, s)
			s.kit = kit
			s.camera = device.NewIn[*mediav1.VideoFrame](kit, "camera", stream.DropOldest(256))
			s.microphone = device.NewIn[*mediav1.AudioFrame](kit, "microphone", stream.DropOldest(256))
			s.wishes = device.NewOut[*peerv1.Wish](kit, "wishes", device.OutOptions{})
			return s, nil
		}}
	var err error
	s.Process, err = device.Start(kind, device.Settings{Robot: robot, Device: name, NATS: url}, struct{}{}, nil)
	return s, err
}

// Run implements [device.Driver].
func (s *Slot) Run(ctx context.Context, ready func()) error {
	ready()
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		_ = s.microphone.Receive(ctx, func(f *mediav1.AudioFrame) { // ends with its context
			if f.GetEpoch() == s.granted() {
				s.Audio <- f
			}
		})
	})
	return s.camera.Receive(ctx, func(f *mediav1.VideoFrame) {
		if f.GetEpoch() == s.granted() {
			s.Video <- f
		}
	})
}

func (s *Slot) granted() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// Begin implements PeerService.
func (s *Slot) Begin(_ context.Context, r *peerv1.BeginRequest) (*peerv1.BeginResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who != nil && !r.GetTake() {
		s.no++
		return nil, status.Errorf(codes.AlreadyExists, "%s has the slot: take it", s.who.GetName())
	}
	if s.who != nil {
		s.wishes.Publish(&peerv1.Wish{PublicationId: s.who.GetId(), Wish: &peerv1.Wish_Ended{Ended: "it was taken"}})
	}
	s.begun++
	s.who = proto.CloneOf(r.GetPublisher())
	s.who.Id, s.epoch = access.NewID(), access.NewID()
	s.kit.SetAttributes(map[string]string{"publisher": s.who.GetName()})
	return &peerv1.BeginResponse{Publisher: s.who, Epoch: s.epoch, MaxBitrateBps: MaxBitrate}, nil
}

// End implements PeerService.
func (s *Slot) End(_ context.Context, r *peerv1.EndRequest) (*peerv1.EndResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who == nil || r.GetEpoch() != s.epoch {
		return nil, status.Error(codes.NotFound, "it has ended")
	}
	s.free()
	return &peerv1.EndResponse{}, nil
}

// Publisher returns who has the slot, nil for nobody, and how often it was given.
func (s *Slot) Publisher() (who *peerv1.Publisher, begun int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who, s.begun
}

// Refused returns how often somebody was refused the slot.
func (s *Slot) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.no
}

// WishKeyFrame asks the publisher for a key frame.
func (s *Slot) WishKeyFrame() {
	s.wish(&peerv1.Wish{Wish: &peerv1.Wish_KeyFrame{KeyFrame: &peerv1.KeyFrame{}}})
}

// Throw ends the publication.
func (s *Slot) Throw(why string) {
	s.wish(&peerv1.Wish{Wish: &peerv1.Wish_Ended{Ended: why}})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free()
}

// free notes that nobody has the slot; the caller holds mu.
func (s *Slot) free() {
	s.who, s.epoch = nil, 0
	s.kit.SetAttributes(map[string]string{"publisher": ""})
}

func (s *Slot) wish(w *peerv1.Wish) {
	who, _ := s.Publisher()
	w.PublicationId = who.GetId()
	s.wishes.Publish(w)
}

// Wished reports whether somebody hears the wishes.
func (s *Slot) Wished() bool { return s.wishes.Held() }
