package service

import (
	"context"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/video/source"
)

// GetControls implements CameraService.
func (s *Service) GetControls(context.Context, *camerav1.GetControlsRequest) (*camerav1.GetControlsResponse, error) {
	controls, err := s.controls()
	if err != nil {
		return nil, s.status(err)
	}
	return &camerav1.GetControlsResponse{Controls: controls}, nil
}

// SetControls implements CameraService.
func (s *Service) SetControls(_ context.Context, r *camerav1.SetControlsRequest) (*camerav1.SetControlsResponse,
	error) {
	c, err := s.controller()
	if err != nil {
		return nil, s.status(err)
	}
	if err := c.SetControls(r.GetValues()); err != nil {
		return nil, s.status(err)
	}
	controls, err := s.controls()
	if err != nil {
		return nil, s.status(err)
	}
	return &camerav1.SetControlsResponse{Controls: controls}, nil
}

func (s *Service) controls() ([]*camerav1.Control, error) {
	c, err := s.controller()
	if err != nil {
		return nil, err
	}
	controls, err := c.Controls()
	if err != nil {
		return nil, err
	}
	out := make([]*camerav1.Control, 0, len(controls))
	for _, one := range controls {
		out = append(out, control(one))
	}
	return out, nil
}

// controller returns the controls of the hardware, or an empty set if it has none.
func (s *Service) controller() (source.Controller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attached == nil {
		return nil, device.ErrAway
	}
	if c, ok := s.attached.(source.Controller); ok {
		return c, nil
	}
	return none{}, nil
}

// none is the empty set of controls.
type none struct{}

func (none) Controls() ([]source.Control, error) { return nil, nil }

func (none) SetControls(values map[string]int64) error { return source.CheckValues(nil, values) }

func control(c source.Control) *camerav1.Control {
	kind := map[source.ControlType]camerav1.ControlType{
		source.Integer: camerav1.ControlType_CONTROL_TYPE_INTEGER,
		source.Boolean: camerav1.ControlType_CONTROL_TYPE_BOOLEAN,
		source.Menu:    camerav1.ControlType_CONTROL_TYPE_MENU,
	}[c.Type]
	return &camerav1.Control{
		Name: c.Name, Type: kind, Minimum: c.Minimum, Maximum: c.Maximum, Step: max(1, c.Step),
		DefaultValue: c.Default, Value: c.Value, MenuItems: c.Items, ReadOnly: c.ReadOnly,
	}
}
