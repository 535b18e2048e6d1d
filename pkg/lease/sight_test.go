package lease

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
)

// watcher is an actuator as far as a lease needs one. It says what it knows of its driver's sight.
type watcher struct{ sight *controlv1.Sight }

func (w watcher) Invoke(_ context.Context, method string, _, reply any, _ ...grpc.CallOption) error {
	state := &controlv1.ControlState{Epoch: 1, Clock: durationpb.New(time.Second), SafeJson: "{}", Sight: w.sight}
	switch reply := reply.(type) {
	case *controlv1.AcquireResponse:
		reply.Lease, reply.State = &controlv1.Lease{Epoch: 7, Ttl: durationpb.New(time.Second)}, state
	case *controlv1.KeepAliveResponse:
		reply.State = state
	case *controlv1.ReleaseResponse:
		reply.State = state
	default:
		return status.Errorf(codes.Unimplemented, "%s", method)
	}
	return nil
}

func (watcher) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("no streams")
}

// seen returns what the next command would say of the picture that was seen.
func seen(t *testing.T, l *Lease) *timestamppb.Timestamp {
	t.Helper()
	h, err := l.Header(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.GetSeen()
}

// TestSaw: headers have the capture time of the last picture, unchanged, for an actuator that asks.
func TestSaw(t *testing.T) {
	sight := &controlv1.Sight{Camera: "front", Speed: 1}
	l, err := Acquire(t.Context(), watcher{sight}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Camera() != "front" || !proto.Equal(l.Sight(), sight) {
		t.Errorf("camera %q, sight %v", l.Camera(), l.Sight())
	}
	if got := seen(t, l); got != nil {
		t.Errorf("before the first picture: %v", got)
	}
	first := &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 123_456_789}
	l.Saw(first)
	if got := seen(t, l); !proto.Equal(got, first) {
		t.Errorf("seen %v, want %v", got, first)
	}
	earlier := &timestamppb.Timestamp{Seconds: 1_600_000_000} // the camera's clock was set back
	l.Saw(earlier)
	if got := seen(t, l); !proto.Equal(got, earlier) {
		t.Errorf("seen %v, want %v", got, earlier)
	}
	blind := &controlv1.Sight{Camera: "front", Age: durationpb.New(2 * time.Second)}
	l.Heard(&controlv1.CommandReport{Clock: durationpb.New(time.Second), Sight: blind}, nil)
	l.Heard(&controlv1.CommandReport{Clock: durationpb.New(time.Second)}, nil)
	if !proto.Equal(l.Sight(), blind) {
		t.Errorf("sight %v, want %v", l.Sight(), blind)
	}
}

// TestNotAsked: an actuator that does not watch its driver's sight is told nothing of it.
func TestNotAsked(t *testing.T) {
	l, err := Acquire(t.Context(), watcher{}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Saw(timestamppb.Now())
	if got := seen(t, l); got != nil || l.Camera() != "" || l.Sight() != nil {
		t.Errorf("seen %v, camera %q, sight %v", got, l.Camera(), l.Sight())
	}
}
