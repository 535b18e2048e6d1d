package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
)

type sendCommand struct {
	remote  `embed:""`
	Device  string        `arg:"" help:"Name of the device, for example motors, or demo/motors."`
	Message string        `arg:"" help:"The message as JSON. For boards: an object or a list for a struct format; any text for lines."`
	Stream  string        `placeholder:"NAME" xor:"input" help:"Which of the streams that the device accepts. Default: the only one; boards need none."`
	Method  string        `placeholder:"NAME" xor:"input" help:"By which method the device is commanded. Default: the only one; boards need none."`
	For     time.Duration `placeholder:"TIME" help:"For what moves something: keep sending for this long. Default: send once, valid for ${deadman}."`
	Take    bool          `help:"Take the lease even if somebody else holds it."`
	Key     string        `env:"WALDO_OVERRIDE_KEY" placeholder:"SECRET" help:"Override key, if one is configured, for --take."`
}

// Help explains the command.
func (*sendCommand) Help() string {
	return `What can move something is commanded under a lease: the lease is acquired, a neutral command is sent first, and
when the time is up the lease is released, which stops it. If somebody else is driving, the command fails. A device that
is not a board has a method for its commands, or accepts a stream, on which the message is published. The message is in
the JSON mapping of protobuf. For example:

  waldo send motors '{"left": 100, "right": 100}' --for 2s
  waldo send door '{"pan": 0.5, "zoom": -0.2}' --for 2s
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
		bounded, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		devices := dynamic.New(conn, dynamic.Config{})
		life, err := devices.Of(bounded, address)
		if err != nil {
			return plainError(address, err)
		}
		if _, err := life.Method(writeMessage); err != nil || s.Stream != "" || s.Method != "" {
			return s.other(ctx, conn, life, address, devices)
		}
		board := serialv1.NewSerialServiceClient(channel)
		r, err := board.GetPort(bounded, &serialv1.GetPortRequest{})
		switch {
		case err != nil:
			return plainError(address, err)
		case r.GetPort().GetActuator():
			return plainError(address, s.drive(ctx, channel, s.text(), toBoard(board)))
		}
		_, err = toBoard(board)(bounded, s.text(), nil)
		return plainError(address, err)
	})
}

// writeMessage is the method by which boards on serial lines take messages.
var writeMessage = strings.TrimPrefix(serialv1.SerialService_WriteMessage_FullMethodName, "/")

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
