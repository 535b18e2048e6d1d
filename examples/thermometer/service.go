package main

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	thermometerv1 "github.com/waldo-robot/waldo/examples/thermometer/gen/thermometer/v1"
	"github.com/waldo-robot/waldo/pkg/device"
)

// service is the thermometer's own API, defined in proto/.
type service struct {
	thermometerv1.UnimplementedThermometerServiceServer
	*thermometer
}

// serve registers the API of a thermometer, which is then served over gRPC and on the bus.
func serve(kit *device.Kit, t *thermometer) *thermometer {
	thermometerv1.RegisterThermometerServiceServer(kit, service{thermometer: t})
	return t
}

// Measure reads the sensor now.
func (s service) Measure(_ context.Context, r *thermometerv1.MeasureRequest) (*thermometerv1.MeasureResponse, error) {
	temperature, err := s.read()
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	switch r.GetUnit() {
	case thermometerv1.Unit_UNIT_UNSPECIFIED, thermometerv1.Unit_UNIT_CELSIUS:
	case thermometerv1.Unit_UNIT_FAHRENHEIT:
		temperature = temperature*9/5 + 32
	default:
		return nil, status.Errorf(codes.InvalidArgument, "unit: %v is unknown: use UNIT_CELSIUS or UNIT_FAHRENHEIT",
			r.GetUnit())
	}
	return &thermometerv1.MeasureResponse{Temperature: temperature, ReadTime: timestamppb.Now()}, nil
}
