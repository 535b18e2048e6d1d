package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/lease"
)

// sendEvery is the time between two commands.
const sendEvery = 50 * time.Millisecond

// deliver sends a command, which is JSON, with its header.
type deliver func(ctx context.Context, text string, h *controlv1.CommandHeader) (*controlv1.CommandReport, error)

// toBoard delivers to a board on a serial line.
func toBoard(board serialv1.SerialServiceClient) deliver {
	return func(ctx context.Context, text string, h *controlv1.CommandHeader) (*controlv1.CommandReport, error) {
		r, err := board.WriteMessage(ctx, &serialv1.WriteMessageRequest{
			Body: &serialv1.WriteMessageRequest_Json{Json: text}, Control: h,
		})
		return r.GetReport(), err
	}
}

// byMethod delivers by a method whose request has the field control, and whose response has the field report.
func byMethod(devices *dynamic.Devices, a bus.Address, method string) deliver {
	return func(ctx context.Context, text string, h *controlv1.CommandHeader) (*controlv1.CommandReport, error) {
		request := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(text), &request); err != nil || request == nil {
			return nil, errors.New(`message: not an object: write it like {"pan": 0.5}`)
		}
		header, err := protojson.Marshal(h)
		if err != nil {
			return nil, err
		}
		request["control"] = header
		data, err := json.Marshal(request)
		if err != nil {
			return nil, err
		}
		response, err := devices.Call(ctx, dynamic.Call{Device: a, Method: method, Request: data})
		if err != nil {
			return nil, err
		}
		var answer struct{ Report json.RawMessage }
		report := &controlv1.CommandReport{}
		if err := json.Unmarshal(response, &answer); err != nil || answer.Report == nil {
			return nil, err // the lease asks for the clock itself
		}
		return report, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(answer.Report, report)
	}
}

// text is the message to a board as the user gave it: anything but valid JSON is text.
func (s *sendCommand) text() string {
	if json.Valid([]byte(s.Message)) {
		return s.Message
	}
	text, _ := json.Marshal(s.Message) // a string can always be encoded
	return string(text)
}

// drive sends the message under a lease, again and again until the time is up.
func (s *sendCommand) drive(ctx context.Context, conn grpc.ClientConnInterface, text string, to deliver) error {
	l, err := s.acquire(ctx, conn)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := s.command(ctx, l, to, l.Neutral()); err != nil {
		return err
	}
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	end := time.Now().Add(s.For)
	for first := true; first || time.Now().Before(end); first = false {
		if err := s.command(ctx, l, to, text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // it was stopped, and so is what moves
		case <-tick.C:
		}
	}
	if s.For == 0 {
		select { // releasing the lease stops what moves
		case <-ctx.Done():
		case <-time.After(control.DefaultDeadman):
		}
	}
	return nil
}

func (s *sendCommand) acquire(ctx context.Context, conn grpc.ClientConnInterface) (*lease.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	holder := "waldo send"
	if host, err := os.Hostname(); err == nil {
		holder += " on " + host
	}
	if s.Take {
		return lease.Take(ctx, conn, holder, s.Key)
	}
	return lease.Acquire(ctx, conn, holder)
}

// command sends one command. If it was too late, or sent before a stop, the next one makes up for it.
func (s *sendCommand) command(ctx context.Context, l *lease.Lease, to deliver, text string) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	for {
		header, err := l.Header(ctx)
		if err != nil {
			return err
		}
		report, err := to(ctx, text, header)
		l.Heard(report, err)
		if status.Code(err) != codes.Aborted {
			return err
		}
	}
}
