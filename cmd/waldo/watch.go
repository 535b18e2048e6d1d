package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1" // its messages can be watched
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1" // and those of input devices
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// watchQueue is how many messages may wait for a slow output.
const watchQueue = 1000

// seldomWatched are streams that are not meant where none is named.
var seldomWatched = []string{"video", "audio", "control"}

type watchCommand struct {
	remote `embed:""`
	Device string `arg:"" help:"Name of the device, for example motors, or demo/motors."`
	Stream string `placeholder:"NAME" help:"Which of its streams. Default: the only one besides video, audio and control."`
	Count  int    `short:"n" placeholder:"N" help:"End after so many messages. Default: go on until it is stopped."`
}

// Help explains the command.
func (*watchCommand) Help() string {
	return `A message of a board is printed with its number, the time when it was read, and what it says:

  {"sequence":7,"time":"2026-11-21T10:31:27.9Z","message":{"left":0,"right":0}}

Messages of other devices are printed as they are defined (api/proto). If waldo does not know the type of a stream's messages, it says so
and ends with code 1. What was lost on the way is said on the standard error. For example:

  waldo watch motors | jq .message.battery
  waldo watch voice                               # how loud it is, and who is talking
  waldo watch motors --stream control              # who drives it`
}

// Run prints messages until it is stopped.
func (w *watchCommand) Run(ctx context.Context, c console) error {
	c = c.plain()
	return w.attach(ctx, func(ctx context.Context, conn *bus.Conn) error {
		address, err := w.find(ctx, conn, w.Device)
		if err != nil {
			return err
		}
		name, err := w.stream(ctx, conn, address)
		if err != nil {
			return err
		}
		messages, err := bus.SubscribeAny(conn, address.Out(name), stream.DropOldest(watchQueue))
		if err != nil {
			return err
		}
		defer messages.Close()
		defer conn.Hold(address, name, "waldo watch").Close()
		return w.print(ctx, c, messages)
	})
}

// stream finds out which stream is meant.
func (w *watchCommand) stream(ctx context.Context, conn *bus.Conn, a bus.Address) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	r, err := devicev1.NewDeviceServiceClient(conn.Client(a)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil {
		return "", err
	}
	var all, usual []string
	types := map[string]string{}
	for _, s := range r.GetDevice().GetStreams() {
		if s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_IN {
			continue
		}
		all = append(all, s.GetName())
		types[s.GetName()] = s.GetMessageType()
		if !slices.Contains(seldomWatched, s.GetName()) {
			usual = append(usual, s.GetName())
		}
	}
	switch {
	case len(all) == 0:
		return "", fmt.Errorf("%s has no streams", a)
	case w.Stream == "" && len(usual) == 1:
		return usual[0], checkKnown(a, usual[0], types[usual[0]], r.GetDevice().GetGrpcAddress())
	case w.Stream == "":
		return "", fmt.Errorf("which stream of %s is meant is not clear: say it with --stream; there are: %s", a, strings.Join(all, ", "))
	case !slices.Contains(all, w.Stream):
		return "", fmt.Errorf("%s has no stream %q; there are: %s", a, w.Stream, strings.Join(all, ", "))
	}
	return w.Stream, checkKnown(a, w.Stream, types[w.Stream], r.GetDevice().GetGrpcAddress())
}

// checkKnown returns an error for messages that cannot be printed because their definition is not in this program: none would ever appear.
func checkKnown(a bus.Address, stream, messageType, grpcAddress string) error {
	if _, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(messageType)); err == nil {
		return nil
	}
	return fmt.Errorf("the messages of %s, stream %q, are of the type %.200q, which waldo does not know, so it cannot print them: "+
		"read them with a program that has the definition, or ask the device over gRPC at %s", a, stream, messageType, grpcAddress)
}

func (w *watchCommand) print(ctx context.Context, c console, messages *bus.Subscription[proto.Message]) error {
	var gaps gapFinder
	for n := 0; w.Count <= 0 || n < w.Count; n++ {
		m, err := messages.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // it was stopped
		case err != nil:
			return err
		}
		if lost := gaps.lost(m); lost > 0 {
			_, _ = fmt.Fprintf(c.err, "waldo: %d messages were lost\n", lost)
		}
		if err := printMessage(c.out, m); err != nil {
			return err
		}
	}
	return nil
}

// printMessage writes one line.
func printMessage(to io.Writer, m proto.Message) error {
	line, err := messageJSON(m)
	if err == nil {
		_, err = fmt.Fprintf(to, "%s\n", line)
	}
	return err
}

func messageJSON(m proto.Message) ([]byte, error) {
	if s, ok := m.(*serialv1.SerialMessage); ok {
		return json.Marshal(struct {
			Sequence int64           `json:"sequence"`
			Time     time.Time       `json:"time"`
			Message  json.RawMessage `json:"message"`
		}{s.GetSequence(), s.GetReadTime().AsTime(), json.RawMessage(s.GetJson())})
	}
	data, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	err = json.Compact(&line, data) // protojson varies its spaces on purpose
	return line.Bytes(), err
}

// gapFinder finds out from the numbers of messages how many are missing, for messages that are numbered.
type gapFinder struct {
	epoch, next int64
	seen        bool
}

func (g *gapFinder) lost(m proto.Message) int64 {
	numbered, ok := m.(interface {
		GetEpoch() int64
		GetSequence() int64
	})
	if !ok {
		return 0
	}
	lost := int64(0)
	if g.seen && numbered.GetEpoch() == g.epoch {
		lost = max(0, numbered.GetSequence()-g.next)
	}
	g.epoch, g.next, g.seen = numbered.GetEpoch(), numbered.GetSequence()+1, true
	return lost
}
