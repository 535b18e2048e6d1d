package ptz

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	ptzv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ptz/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

// Neutral is the command that means standing still, as JSON.
const Neutral = `{"pan":0,"tilt":0,"zoom":0}`

// Arbiter judges commands; package actuator has one.
type Arbiter interface {
	// Submit judges a command and has it carried out if it is accepted. Its error is a gRPC status.
	Submit(ctx context.Context, h *controlv1.CommandHeader, c actuator.Command) (*controlv1.CommandReport, error)
	// Malformed notes a command that was refused before that.
	Malformed(ctx context.Context, h *controlv1.CommandHeader, err error)
}

// Service is the gRPC service.
type Service struct {
	ptzv1.UnimplementedPtzServiceServer

	Mover   *Mover
	Arbiter Arbiter
	// FullScale is the greatest speed that drivers give, by the name of the field; 1 for what is not in it.
	FullScale map[string]float64
}

// motion is a command to a camera. It implements [actuator.Command] and [actuator.Described].
type motion struct {
	*Service
	velocity onvif.Velocity
}

// Neutral implements [actuator.Command].
func (m motion) Neutral() bool { return m.velocity == onvif.Velocity{} }

// Speed implements [actuator.Command].
func (m motion) Speed() (share float64, ok bool) {
	for name, value := range map[string]float64{
		"pan": m.velocity.Pan, "tilt": m.velocity.Tilt, "zoom": m.velocity.Zoom,
	} {
		share = max(share, math.Abs(value)/cmp.Or(m.FullScale[name], 1))
	}
	return share, true
}

// CarryOut implements [actuator.Command].
func (m motion) CarryOut(factor float64, expiry time.Time) {
	v := m.velocity
	m.Mover.Command(onvif.Velocity{Pan: v.Pan * factor, Tilt: v.Tilt * factor, Zoom: v.Zoom * factor}, expiry)
}

// JSON implements [actuator.Described].
func (m motion) JSON() string {
	v := m.velocity
	return fmt.Sprintf(`{"pan":%g,"tilt":%g,"zoom":%g}`, v.Pan, v.Tilt, v.Zoom)
}

// Move implements PtzService.
func (s *Service) Move(ctx context.Context, r *ptzv1.MoveRequest) (*ptzv1.MoveResponse, error) {
	if err := s.check(r); err != nil {
		s.Arbiter.Malformed(ctx, r.GetControl(), err)
		return nil, err
	}
	v := onvif.Velocity{Pan: r.GetPan(), Tilt: r.GetTilt(), Zoom: r.GetZoom()}
	report, err := s.Arbiter.Submit(ctx, r.GetControl(), motion{s, v})
	if err != nil {
		return nil, err
	}
	return &ptzv1.MoveResponse{Report: report}, nil
}

// check refuses speeds that the camera cannot have. Its error is a gRPC status.
func (s *Service) check(r *ptzv1.MoveRequest) error {
	p := s.Mover.State().Profile
	for _, axis := range []struct {
		name  string
		value float64
		has   bool
	}{{"pan", r.GetPan(), p.PanTilt}, {"tilt", r.GetTilt(), p.PanTilt}, {"zoom", r.GetZoom(), p.Zoom}} {
		switch {
		case math.IsNaN(axis.value) || math.Abs(axis.value) > 1:
			return status.Errorf(codes.InvalidArgument, "%s: %v is out of range: use -1 to 1", axis.name, axis.value)
		case axis.value != 0 && !axis.has && p.Token != "":
			return status.Errorf(codes.InvalidArgument, "%s: the camera does not have it: leave it out", axis.name)
		}
	}
	return nil
}

// GetPtz implements PtzService.
func (s *Service) GetPtz(context.Context, *ptzv1.GetPtzRequest) (*ptzv1.GetPtzResponse, error) {
	state := s.Mover.State()
	ptz := &ptzv1.Ptz{IsReady: state.Ready, CanPanTilt: state.Profile.PanTilt, CanZoom: state.Profile.Zoom,
		ReportsMotion: state.ReportsMotion}
	if state.Reason != nil {
		ptz.Reason = state.Reason.Error()
	}
	if state.StopsWithin > 0 {
		ptz.StopsWithin = durationpb.New(state.StopsWithin)
	}
	return &ptzv1.GetPtzResponse{Ptz: ptz}, nil
}
