package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/lease"
)

// sendEvery is the time between two commands.
const sendEvery = 50 * time.Millisecond

type sendCommand struct {
	remote  `embed:""`
	Device  string        `arg:"" help:"Name of the device, for example motors, or demo/motors."`
	Message string        `arg:"" help:"The message as JSON. For boards: an object or a list for a struct format; any text for lines."`
	Stream  string        `placeholder:"NAME" help:"Which of the streams that the device accepts. Default: the only one; boards need none."`
	For     time.Duration `placeholder:"TIME" help:"For a board that moves something: keep sending for this long. Default: send once, valid for ${deadman}."`
	Take    bool          `help:"Take the lease even if somebody else holds it."`
	Key     string        `env:"WALDO_OVERRIDE_KEY" placeholder:"SECRET" help:"Override key, if one is configured, for --take."`
}

// Help explains the command.
func (*sendCommand) Help() string {
	return `A board that can move something is commanded under a lease: the lease is acquired, a neutral command is
sent first, and when the time is up the lease is released, which stops the board. If somebody else is driving, the
command fails. To a device of another kind, the message is published on a stream that the device accepts, in the JSON
mapping of protobuf. For example:

  waldo send motors '{"left": 100, "right": 100}' --for 2s
  waldo send display "hello"
  waldo send lamp '{"brightness": 0.5}' --stream light`
}

// Run sends the message.
func (s *sendCommand) Run(ctx context.Context) error {
	if s.For < 0 {
		return fmt.Errorf("--for: %v is negative", s.For)
	}
	return s.attach(ctx, func(ctx context.Context, conn *bus.Conn) error {
		address, err := s.find(ctx, conn, s.Device)
		if err != nil {
			return err
		}
		channel := conn.Client(address)
		board := serialv1.NewSerialServiceClient(channel)
		bounded, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		devices := dynamic.New(conn, dynamic.Config{})
		life, err := devices.Of(bounded, address)
		if err != nil {
			return plainError(address, err)
		}
		if _, err := life.Method(writeMessage); err != nil || s.Stream != "" {
			return s.publish(bounded, conn, life, address)
		}
		r, err := board.GetPort(bounded, &serialv1.GetPortRequest{})
		switch {
		case err != nil:
			return plainError(address, err)
		case r.GetPort().GetActuator():
			return plainError(address, s.drive(ctx, channel, board))
		}
		_, err = board.WriteMessage(bounded, &serialv1.WriteMessageRequest{Body: s.body()})
		return plainError(address, err)
	})
}

// writeMessage is the method by which boards on serial lines take messages.
var writeMessage = strings.TrimPrefix(serialv1.SerialService_WriteMessage_FullMethodName, "/")

// publish sends the message on a stream that the device accepts.
func (s *sendCommand) publish(ctx context.Context, conn *bus.Conn, life *dynamic.Life, a bus.Address) error {
	stream, err := s.accepted(ctx, conn, a)
	if err != nil {
		return err
	}
	messageType, err := life.Message(stream.GetMessageType())
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	m, err := life.Parse(messageType, []byte(s.Message))
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	if err := conn.Publish(a.In(stream.GetName()), m); err != nil {
		return err
	}
	return conn.Flush(ctx)
}

// accepted finds out which stream is meant.
func (s *sendCommand) accepted(ctx context.Context, conn *bus.Conn, a bus.Address) (*devicev1.StreamInfo, error) {
	r, err := devicev1.NewDeviceServiceClient(conn.Client(a)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil {
		return nil, plainError(a, err)
	}
	var found []*devicev1.StreamInfo
	var names []string
	for _, info := range r.GetDevice().GetStreams() {
		if info.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_IN {
			continue
		}
		names = append(names, info.GetName())
		if s.Stream == "" || s.Stream == info.GetName() {
			found = append(found, info)
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("%s is a device of kind %s, which accepts no messages: waldo call %s lists its methods", a,
			r.GetDevice().GetKind(), a)
	case len(found) == 0:
		return nil, fmt.Errorf("%s accepts no stream %q; it accepts: %s", a, s.Stream, strings.Join(names, ", "))
	case len(found) > 1:
		return nil, fmt.Errorf("%s accepts several streams: name one with --stream: %s", a, strings.Join(names, ", "))
	}
	return found[0], nil
}

// plainError tells what a device answered without the words of gRPC.
func plainError(a bus.Address, err error) error {
	if err == nil {
		return nil
	}
	if st, ok := status.FromError(err); ok {
		return fmt.Errorf("%s: %s", a, st.Message())
	}
	return fmt.Errorf("%s: %w", a, err)
}

// body is the message as the user gave it: anything but valid JSON is text.
func (s *sendCommand) body() *serialv1.WriteMessageRequest_Json {
	if json.Valid([]byte(s.Message)) {
		return &serialv1.WriteMessageRequest_Json{Json: s.Message}
	}
	text, _ := json.Marshal(s.Message) // a string can always be encoded
	return &serialv1.WriteMessageRequest_Json{Json: string(text)}
}

// drive sends the message under a lease, again and again until the time is up.
func (s *sendCommand) drive(
	ctx context.Context, conn grpc.ClientConnInterface, board serialv1.SerialServiceClient,
) error {
	l, err := s.acquire(ctx, conn)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := s.command(ctx, l, board, &serialv1.WriteMessageRequest_Json{Json: l.Neutral()}); err != nil {
		return err
	}
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	end := time.Now().Add(s.For)
	for first := true; first || time.Now().Before(end); first = false {
		if err := s.command(ctx, l, board, s.body()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // it was stopped, and so is the board
		case <-tick.C:
		}
	}
	if s.For == 0 {
		select { // releasing the lease stops the board
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
func (s *sendCommand) command(
	ctx context.Context, l *lease.Lease, board serialv1.SerialServiceClient, body *serialv1.WriteMessageRequest_Json,
) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	for {
		header, err := l.Header(ctx)
		if err != nil {
			return err
		}
		r, err := board.WriteMessage(ctx, &serialv1.WriteMessageRequest{Body: body, Control: header})
		l.Heard(r.GetReport(), err)
		if status.Code(err) != codes.Aborted {
			return err
		}
	}
}
