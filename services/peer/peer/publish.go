package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/peer/sender"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

const (
	// LargestStep bounds one step of Publish: a picture and what is said of it.
	LargestStep = sender.MaxData + 1<<20
	// A program may send so many steps and pictures a second; more is held back by flow control.
	maxSteps, maxPictures = 2000, 240
	// maxReason bounds what a program says of the end, in characters.
	maxReason = 500
)

// grpcVia is how publishers come that call Publish.
const grpcVia = "grpc"

// publishing is a call of Publish.
type publishing struct {
	peers *peers
	call  grpc.BidiStreamingServer[peerv1.PublishRequest, peerv1.PublishResponse]
	slot  *slot.Publication
	began chan struct{} // closed with the first step that carries something

	steps, pictures, bytes *rate.Limiter
}

// Publish implements PeerService.
func (s *peers) Publish(call grpc.BidiStreamingServer[peerv1.PublishRequest, peerv1.PublishResponse]) error {
	first, err := s.first(call)
	if err != nil {
		return err
	}
	begin := first.GetBegin()
	if begin == nil {
		return status.Error(codes.InvalidArgument, "step: the first must be begin, which asks for the slot")
	}
	who := proto.CloneOf(begin.GetPublisher())
	if who == nil {
		who = &peerv1.Publisher{}
	}
	who.Via, who.Address = grpcVia, ""
	if from, ok := peer.FromContext(call.Context()); ok {
		who.Address = from.Addr.String()
	}
	if err := checkPublisher(who); err != nil {
		return err
	}
	granted, err := s.slot.Open(who, begin.GetTake())
	if err != nil {
		return s.status(err)
	}
	defer granted.EndWith(errGone)
	p := &publishing{
		peers: s, call: call, slot: granted, began: make(chan struct{}), steps: rate.NewLimiter(maxSteps, maxSteps),
		pictures: rate.NewLimiter(maxPictures, maxPictures/4), bytes: rate.NewLimiter(s.carries.most, LargestStep),
	}
	taken := make(chan error, 1)
	s.work.Go(func() { taken <- p.take() }) // ends with the call, which the server waits for
	return p.tell(taken)
}

// first receives the first step of a call, which has little time to come.
func (s *peers) first(
	call grpc.BidiStreamingServer[peerv1.PublishRequest, peerv1.PublishResponse],
) (*peerv1.PublishRequest, error) {
	type received struct {
		step *peerv1.PublishRequest
		err  error
	}
	came := make(chan received, 1)
	s.work.Go(func() { // ends with the call
		step, err := call.Recv()
		came <- received{step, err}
	})
	late := time.NewTimer(slot.Silence)
	defer late.Stop()
	select {
	case first := <-came:
		return first.step, first.err
	case <-late.C:
		return nil, status.Errorf(codes.DeadlineExceeded, "step: the first, begin, has not come for %v", slot.Silence)
	}
}

// errGone is why a publication has ended whose call has.
var errGone = errors.New("the program has gone")

// tell sends the answers, and returns how the call ends.
func (p *publishing) tell(taken <-chan error) error {
	err := p.call.Send(&peerv1.PublishResponse{Step: &peerv1.PublishResponse_Begun{Begun: p.slot.Granted()}})
	told, first := false, true
	began := p.began
	for err == nil {
		wanted, changed := p.peers.readers.Now()
		if wanted = wanted || began != nil; first || wanted != told {
			told, first = wanted, false
			err = p.call.Send(&peerv1.PublishResponse{Step: &peerv1.PublishResponse_Demand{
				Demand: &peerv1.Demand{Wanted: wanted}}})
			continue
		}
		select {
		case <-changed:
		case <-began:
			began = nil
		case <-p.slot.KeyFrames():
			err = p.wish(&peerv1.Wish{Wish: &peerv1.Wish_KeyFrame{KeyFrame: &peerv1.KeyFrame{}}})
		case <-p.slot.Ended():
			return p.ended()
		case err := <-taken:
			switch {
			case err == nil: // the program has said all that it had to say
				p.slot.End()
			case errors.Is(err, slot.ErrEnded):
				return p.ended()
			}
			return err
		}
	}
	return err
}

func (p *publishing) wish(w *peerv1.Wish) error {
	w.PublicationId = p.slot.Granted().GetPublisher().GetId()
	return p.call.Send(&peerv1.PublishResponse{Step: &peerv1.PublishResponse_Wish{Wish: w}})
}

// ended tells the program that its publication has ended, and returns the status of that.
func (p *publishing) ended() error {
	err := p.slot.Err()
	if err == nil {
		return nil // it has ended it itself
	}
	if err := p.wish(&peerv1.Wish{Wish: &peerv1.Wish_Ended{Ended: err.Error()}}); err != nil {
		return err
	}
	return p.peers.status(err)
}

// take takes steps until the program ends the publication, then it returns nil, or until a step cannot be taken.
func (p *publishing) take() error {
	ctx := p.call.Context()
	taker := p.peers.carries.begin(p.slot)
	defer taker.close()
	for carried := false; ; {
		r, err := p.call.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.pace(ctx, r); err != nil {
			return err
		}
		switch step := r.GetStep().(type) {
		case *peerv1.PublishRequest_Idle:
			_ = p.slot.Alive() // tell sees the end
		case *peerv1.PublishRequest_End:
			return p.end(step.End.GetReason())
		case nil, *peerv1.PublishRequest_Begin:
			return status.Error(codes.InvalidArgument, "step: after begin send what the slot carries, idle or end")
		default:
			if err := taker.take(ctx, r); errors.Is(err, slot.ErrEnded) {
				return err // tell says why
			} else if err != nil {
				return p.peers.status(err)
			}
			if !carried {
				carried = true
				close(p.began)
			}
		}
	}
}

// pace holds the program back while it sends too much.
func (p *publishing) pace(ctx context.Context, r *peerv1.PublishRequest) error {
	if err := p.steps.Wait(ctx); err != nil {
		return err
	}
	if r.GetVideo() != nil {
		if err := p.pictures.Wait(ctx); err != nil {
			return err
		}
	}
	return p.bytes.WaitN(ctx, min(proto.Size(r), LargestStep))
}

// end ends the publication as the program says.
func (p *publishing) end(reason string) error {
	if utf8.RuneCountInString(reason) > maxReason {
		return status.Errorf(codes.InvalidArgument, "end.reason: use at most %d characters", maxReason)
	}
	if reason = strings.TrimSpace(text.Printable(reason)); reason == "" {
		p.slot.End()
	} else {
		p.slot.EndWith(fmt.Errorf("the program says: %s", reason))
	}
	return nil
}
