package calls

import (
	"context"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

func judged(v controlv1.CommandVerdict) *serialv1.WriteMessageResponse {
	return &serialv1.WriteMessageResponse{Report: &controlv1.CommandReport{Verdict: v}}
}

func TestAccepted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		response proto.Message
		want     bool
	}{
		{"accepted", judged(controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED), true},
		{"without a lease", judged(controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE), false},
		{"no verdict", judged(controlv1.CommandVerdict_COMMAND_VERDICT_UNSPECIFIED), false},
		{"no actuator", &serialv1.WriteMessageResponse{}, false},
		{"no command", &devicev1.GetDeviceResponse{Device: &devicev1.Device{Name: "motors"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := accepted(tt.response.ProtoReflect()); got != tt.want {
				t.Errorf("accepted: %v", got)
			}
		})
	}
}

// motors is a board that accepts the commands of one lease, whatever they say.
type motors struct {
	serialv1.UnimplementedSerialServiceServer
	devicev1.UnimplementedDeviceServiceServer
}

func (motors) GetDescriptors(context.Context, *devicev1.GetDescriptorsRequest) (*devicev1.GetDescriptorsResponse,
	error) {
	return descriptors.Describe(7, []string{"waldo.device.v1.DeviceService", "waldo.serial.v1.SerialService"})
}

func (motors) WriteMessage(_ context.Context, r *serialv1.WriteMessageRequest) (*serialv1.WriteMessageResponse, error) {
	if r.GetControl().GetLeaseEpoch() != 5 {
		return judged(controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE), nil
	}
	return judged(controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED), nil
}

// register keeps what it is told.
type register struct {
	mu  sync.Mutex
	all []string
}

func (r *register) Accepted(peer, device string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, peer+" "+device)
}

// TestCommands tells whose commands were accepted, and nothing else.
func TestCommands(t *testing.T) {
	conn := connect(t)
	service, err := conn.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "rover", Device: "motors"}, Kind: "serial",
		Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, motors{}); err != nil {
		t.Fatal(err)
	}
	if err := service.RegisterService(&serialv1.SerialService_ServiceDesc, motors{}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var told register
	c := New(dynamic.New(conn, dynamic.Config{}), "rover", anyDevice{}, &told, nil)
	const write = "waldo.serial.v1.SerialService/WriteMessage"
	for _, call := range []*Call{
		{Peer: "a", Device: "motors", Method: write, Request: []byte(`{"control": {"leaseEpoch": "5"}}`)},
		{Peer: "b", Device: "motors", Method: write, Request: []byte(`{"control": {"leaseEpoch": "6"}}`)},
		{Peer: "c", Device: "motors", Method: write, Request: []byte(`{"control": "mine"}`)},
		{Device: "motors", Method: write, Request: []byte(`{"control": {"leaseEpoch": "5"}}`)}, // no connection
		{Peer: "d", Device: "motors", Method: "waldo.device.v1.DeviceService/GetDescriptors"},
	} {
		call.By = visitors.Owner()
		patiently(t, c, call)
	}
	if !slices.Equal(told.all, []string{"a motors"}) {
		t.Errorf("told %q", told.all)
	}
}
