package actuator

import (
	"cmp"
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
)

// service is the ControlService of an actuator.
type service struct {
	controlv1.UnimplementedControlServiceServer
	a *Actuator
}

// maxRequest bounds a request to control, in bytes: names, reasons and keys are all that is long in it.
const maxRequest = 64 << 10

// MaxRequest implements [bus.Limited].
func (s *service) MaxRequest() int { return maxRequest }

func (s *service) Acquire(ctx context.Context, r *controlv1.AcquireRequest) (*controlv1.AcquireResponse, error) {
	if err := checkHolder(r.GetHolder()); err != nil {
		return nil, failure(err)
	}
	holder := who(ctx, r.GetHolder())
	if err := s.alone(); err != nil {
		return nil, err
	}
	by := actor{holder, access.TokenID(ctx), access.From(ctx)}
	lease, state, err := s.a.lease(audit.LeaseAcquired, by, func(now control.Clock) (int64, error) {
		return s.a.arbiter.Acquire(now, holder)
	})
	if err != nil {
		return nil, failure(err)
	}
	return &controlv1.AcquireResponse{Lease: lease, State: state}, nil
}

// who is the one who acts: the name of their token, with what they call themselves.
func who(ctx context.Context, name string) string { return access.Named(access.User(ctx), name) }

func (s *service) Take(ctx context.Context, r *controlv1.TakeRequest) (*controlv1.TakeResponse, error) {
	if err := checkHolder(r.GetHolder()); err != nil {
		return nil, failure(err)
	}
	if err := s.override(r.GetKey()); err != nil {
		return nil, err
	}
	if err := s.alone(); err != nil {
		return nil, err
	}
	holder := who(ctx, r.GetHolder())
	by := actor{holder, access.TokenID(ctx), access.From(ctx)}
	lease, state, err := s.a.lease(audit.LeaseTaken, by, func(now control.Clock) (int64, error) {
		return s.a.arbiter.Take(now, holder), nil
	})
	if err != nil {
		return nil, failure(err)
	}
	return &controlv1.TakeResponse{Lease: lease, State: state}, nil
}

// lease has a lease granted.
func (a *Actuator) lease(kind audit.Kind, to actor, grant func(now control.Clock) (epoch int64, err error)) (
	lease *controlv1.Lease, state *controlv1.ControlState, err error) {
	a.do(func(now control.Clock) {
		var epoch int64
		before := a.arbiter.State().Holder
		if epoch, err = grant(now); err != nil {
			return
		}
		a.log.Info("the lease was given", "event", string(kind), "to", to.name, "before", before)
		a.leases++
		a.record(audit.Event{Kind: kind, Who: to.name, Token: to.token, From: to.from, What: a.leaseName(), Reason: before})
		a.since = time.Now()
		lease = &controlv1.Lease{
			Epoch: epoch, Ttl: durationpb.New(control.LeaseTTL),
			Life: durationpb.New(control.DefaultLife), MaxLife: durationpb.New(control.MaxLife),
		}
		state = a.describe(now)
		a.metrics.leases.Inc()
		a.tell()
	})
	return lease, state, err
}

// alone refuses a lease while another process has the name of this device: a driver could not know which of the two
// obeys.
func (s *service) alone() error {
	if other := s.a.kit.Namesake(); other != "" {
		return status.Errorf(codes.FailedPrecondition, "no lease is granted while two devices have one name: %s", other)
	}
	return nil
}

// override asks for the override key.
func (s *service) override(key string) error {
	if s.a.key != "" && !access.Allowed(s.a.key, key) {
		return status.Error(codes.PermissionDenied, "key: this needs the override key that is configured for the device "+
			"(control.key)")
	}
	return nil
}

func (s *service) KeepAlive(_ context.Context, r *controlv1.KeepAliveRequest) (*controlv1.KeepAliveResponse, error) {
	var state *controlv1.ControlState
	var err error
	s.a.do(func(now control.Clock) {
		err = s.a.arbiter.KeepAlive(now, r.GetLeaseEpoch())
		state = s.a.describe(now)
	})
	if err != nil {
		return nil, failure(err)
	}
	return &controlv1.KeepAliveResponse{State: state}, nil
}

func (s *service) Release(_ context.Context, r *controlv1.ReleaseRequest) (*controlv1.ReleaseResponse, error) {
	s.a.do(func(now control.Clock) { s.a.arbiter.Release(now, r.GetLeaseEpoch()) })
	return &controlv1.ReleaseResponse{State: s.a.State()}, nil
}

func (s *service) GetControl(context.Context, *controlv1.GetControlRequest) (*controlv1.GetControlResponse, error) {
	return &controlv1.GetControlResponse{State: s.a.State()}, nil
}

func (s *service) WatchControl(_ *controlv1.WatchControlRequest,
	to grpc.ServerStreamingServer[controlv1.WatchControlResponse]) error {
	return device.Watch(s.a.kit, to, s.a.states, s.a.State,
		func(state *controlv1.ControlState) *controlv1.WatchControlResponse {
			return &controlv1.WatchControlResponse{State: state}
		})
}

// pressedBy is who presses or clears an e-stop.
func pressedBy(ctx context.Context, name string) actor {
	return actor{cmp.Or(who(ctx, cut(name, maxName, "")), "unknown"), access.TokenID(ctx), access.From(ctx)}
}

// EStop refuses nothing: a text that is too long is cut.
func (s *service) EStop(ctx context.Context, r *controlv1.EStopRequest) (*controlv1.EStopResponse, error) {
	s.a.press(pressedBy(ctx, r.GetBy()), cut(r.GetReason(), maxReason, ""))
	return &controlv1.EStopResponse{State: s.a.State()}, nil
}

func (s *service) ClearEStop(ctx context.Context,
	r *controlv1.ClearEStopRequest) (*controlv1.ClearEStopResponse, error) {
	if err := s.override(r.GetKey()); err != nil {
		return nil, err
	}
	if err := s.a.clear(r.GetId(), pressedBy(ctx, r.GetBy())); err != nil {
		return nil, failure(err)
	}
	return &controlv1.ClearEStopResponse{State: s.a.State()}, nil
}

// failure gives an error its gRPC code; for refused commands see refusal.
func failure(err error) error {
	var bad *badRequest
	switch {
	case errors.Is(err, control.ErrHeld):
		return status.Errorf(codes.FailedPrecondition, "%v: wait until it is free, or take it", err)
	case errors.Is(err, control.ErrNoLease):
		return status.Errorf(codes.FailedPrecondition, "lease_epoch: %v: acquire it", err)
	case errors.Is(err, control.ErrOtherEStop):
		return status.Errorf(codes.Aborted, "id: %v: look at the state again", err)
	case errors.As(err, &bad):
		return status.Error(codes.InvalidArgument, bad.problem)
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
