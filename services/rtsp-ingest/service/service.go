// Package service serves waldo.ingest.v1.IngestService on top of a line. The methods of Service may
// be called concurrently; it starts no goroutines, and calls end when the line is closed.
package service

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/connect"
)

// maxLate is how many events a reader may be late.
const maxLate = 100

// Service is the gRPC service.
type Service struct {
	ingestv1.UnimplementedIngestServiceServer

	line   *connect.Line
	from   *stream.Subscription[connect.Event]
	events *stream.Topic[*ingestv1.ConnectionEvent]
}

// New returns a service. Its calls get no events before Relay runs.
func New(line *connect.Line) *Service {
	return &Service{line: line, from: line.Events(), events: stream.NewTopic[*ingestv1.ConnectionEvent]()}
}

// GetConnection implements IngestService.
func (s *Service) GetConnection(context.Context, *ingestv1.GetConnectionRequest) (*ingestv1.GetConnectionResponse,
	error) {
	return &ingestv1.GetConnectionResponse{Connection: describe(s.line.Status())}, nil
}

// WatchConnection implements IngestService.
func (s *Service) WatchConnection(_ *ingestv1.WatchConnectionRequest,
	to ingestv1.IngestService_WatchConnectionServer) error {
	events := s.events.Subscribe(stream.Strict(maxLate))
	defer events.Close()
	event := &ingestv1.ConnectionEvent{Connection: describe(s.line.Status())}
	for {
		if err := to.Send(&ingestv1.WatchConnectionResponse{Event: event}); err != nil {
			return err
		}
		var err error
		if event, err = events.Next(to.Context()); err != nil {
			return device.Status(err, map[error]codes.Code{stream.ErrOverflow: codes.ResourceExhausted})
		}
	}
}

// Reconnect implements IngestService.
func (s *Service) Reconnect(context.Context, *ingestv1.ReconnectRequest) (*ingestv1.ReconnectResponse, error) {
	s.line.Retry()
	return &ingestv1.ReconnectResponse{}, nil
}

// Relay numbers the line's events, and hands each to callers and to publish, until the line is closed.
func (s *Service) Relay(epoch int64, publish func(*ingestv1.ConnectionEvent)) {
	for sequence := int64(0); ; sequence++ {
		e, err := s.from.Next(context.Background())
		if err != nil {
			s.events.Close(nil)
			return
		}
		event := &ingestv1.ConnectionEvent{
			Epoch: epoch, Sequence: sequence, EventTime: timestamppb.New(e.Time), Kind: kinds[e.Kind],
			Connection: describe(e.Status),
		}
		s.events.Publish(event)
		publish(event)
	}
}

var kinds = map[connect.EventKind]ingestv1.ConnectionEventKind{
	connect.EventConnected:    ingestv1.ConnectionEventKind_CONNECTION_EVENT_KIND_CONNECTED,
	connect.EventDisconnected: ingestv1.ConnectionEventKind_CONNECTION_EVENT_KIND_DISCONNECTED,
	connect.EventGaveUp:       ingestv1.ConnectionEventKind_CONNECTION_EVENT_KIND_GAVE_UP,
}

var states = map[connect.State]ingestv1.ConnectionState{
	connect.Connecting: ingestv1.ConnectionState_CONNECTION_STATE_CONNECTING,
	connect.Connected:  ingestv1.ConnectionState_CONNECTION_STATE_CONNECTED,
	connect.Stalled:    ingestv1.ConnectionState_CONNECTION_STATE_STALLED,
	connect.Waiting:    ingestv1.ConnectionState_CONNECTION_STATE_WAITING,
	connect.GaveUp:     ingestv1.ConnectionState_CONNECTION_STATE_GAVE_UP,
}

func describe(s connect.Status) *ingestv1.Connection {
	c := &ingestv1.Connection{
		State: states[s.State], StateTime: timestamppb.New(s.Since),
		IsConnected:    s.State == connect.Connected || s.State == connect.Stalled,
		ReconnectCount: s.Reconnects, ConnectCount: s.Connects,
		Fps: s.FPS, WidthPx: int32(s.Width), HeightPx: int32(s.Height),
		Clock: s.Clock, Delay: durationpb.New(s.Delay), Attributes: s.Attributes,
	}
	if s.Err != nil {
		c.Reason = s.Err.Error()
	}
	return c
}
