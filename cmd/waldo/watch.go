package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
)

// watchQueue is how many messages may wait for a slow output.
const watchQueue = 1000

// seldomWatched are streams that are not the default when no stream is named; nor are their alternatives.
var seldomWatched = []string{"video", "audio", "control", actuator.Commands}

type watchCommand struct {
	remote `embed:""`
	Device string `arg:"" help:"Name of the device, for example motors, or demo/motors."`
	Stream string `placeholder:"NAME" help:"The stream to watch. Default: the one besides video, audio, control, commands."`
	Count  int    `short:"n" placeholder:"N" help:"Stop after this many messages. Default: run until stopped."`
}

// Help explains the command.
func (*watchCommand) Help() string {
	return `A board's message is printed with its number, the time when it was read, and its content:

  {"sequence":7,"time":"2026-11-21T10:31:27.9Z","message":{"left":0,"right":0}}

Messages of other devices are printed in the JSON mapping of protobuf; waldo asks the device for their definitions.
Unreadable messages and losses are reported on standard error. For example:

  waldo watch motors | jq .message.battery
  waldo watch voice                               # the sound levels, and who is talking
  waldo watch motors --stream control              # who is driving it
  waldo watch motors --stream commands             # each command, and what became of it`
}

// Run prints messages until it is stopped.
func (w *watchCommand) Run(ctx context.Context, c console) error {
	c = c.plain()
	return w.attach(ctx, func(ctx context.Context, conn *bus.Conn) error {
		address, err := w.find(ctx, conn, w.Device)
		if err != nil {
			return err
		}
		devices := dynamic.New(conn, dynamic.Config{})
		name, err := w.stream(ctx, conn, devices, address)
		if err != nil {
			return err
		}
		messages, err := devices.Subscribe(address, name, stream.DropOldest(watchQueue))
		if err != nil {
			return err
		}
		defer messages.Close()
		defer conn.Hold(address, name, "waldo watch").Close()
		return w.print(ctx, c, messages)
	})
}

// stream picks the stream to watch.
func (w *watchCommand) stream(
	ctx context.Context, conn *bus.Conn, devices *dynamic.Devices, a bus.Address,
) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	r, err := devicev1.NewDeviceServiceClient(conn.Client(a)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil {
		return "", err
	}
	name, messageType, err := w.pick(a, r.GetDevice().GetStreams())
	if err != nil {
		return "", err
	}
	return name, checkKnown(ctx, devices, a, name, messageType)
}

// pick picks one of a device's streams.
func (w *watchCommand) pick(a bus.Address, streams []*devicev1.StreamInfo) (name, messageType string, err error) {
	var all, usual []string
	types := map[string]string{}
	for _, s := range streams {
		if s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_IN {
			continue
		}
		all = append(all, s.GetName())
		types[s.GetName()] = s.GetMessageType()
		if !slices.Contains(seldomWatched, cmp.Or(s.GetAlternativeTo(), s.GetName())) {
			usual = append(usual, s.GetName())
		}
	}
	switch name = w.Stream; {
	case len(all) == 0:
		return "", "", fmt.Errorf("%s has no streams", a)
	case name == "" && len(usual) == 1:
		name = usual[0]
	case name == "":
		return "", "", fmt.Errorf("%s has several streams: choose one with --stream; there are: %s",
			a, strings.Join(all, ", "))
	case !slices.Contains(all, name):
		return "", "", fmt.Errorf("%s has no stream %q; there are: %s", a, name, strings.Join(all, ", "))
	}
	return name, types[name], nil
}

// checkKnown returns an error for messages that cannot be printed because their definition is not
// available: none would ever appear.
func checkKnown(ctx context.Context, devices *dynamic.Devices, a bus.Address, stream, messageType string) error {
	life, err := devices.Of(ctx, a)
	if err == nil {
		_, err = life.Message(messageType)
	}
	if err != nil {
		return fmt.Errorf("the messages of %s, stream %q, are of the type %.200q, which waldo does not know: %s",
			a, stream, messageType, status.Convert(err).Message())
	}
	return nil
}

func (w *watchCommand) print(ctx context.Context, c console, messages *dynamic.Messages) error {
	var gaps gapFinder
	for n := 0; w.Count <= 0 || n < w.Count; {
		m, err := messages.Next(ctx)
		var unreadable *dynamic.Unreadable
		switch {
		case ctx.Err() != nil:
			return nil // it was stopped
		case errors.As(err, &unreadable):
			_, _ = fmt.Fprintf(c.err, "waldo: %v\n", err)
			continue
		case err != nil:
			return err
		}
		if lost := gaps.lost(m); lost > 0 {
			_, _ = fmt.Fprintln(c.err, "waldo: "+text.Count(lost, "message was lost", "messages were lost"))
		}
		if err := printMessage(c.out, m); err != nil {
			return err
		}
		n++
	}
	return nil
}

// printMessage writes one line.
func printMessage(to io.Writer, m dynamic.Message) error {
	line, err := messageJSON(m)
	if err == nil {
		_, err = fmt.Fprintf(to, "%s\n", line)
	}
	return err
}

func messageJSON(m dynamic.Message) ([]byte, error) {
	if typeOf(m) == typeOf(&serialv1.SerialMessage{}) {
		return boardJSON(m)
	}
	data, err := m.JSON()
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	err = json.Compact(&line, data) // protojson varies its spaces on purpose
	return line.Bytes(), err
}

// boardJSON is a board's message: it is JSON already.
func boardJSON(m proto.Message) ([]byte, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	var s serialv1.SerialMessage
	if err := proto.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Sequence int64           `json:"sequence"`
		Time     time.Time       `json:"time"`
		Message  json.RawMessage `json:"message"`
	}{s.GetSequence(), s.GetReadTime().AsTime(), json.RawMessage(s.GetJson())})
}

func typeOf(m proto.Message) protoreflect.FullName { return m.ProtoReflect().Descriptor().FullName() }

// gapFinder counts missing messages by their numbers, for messages that have an epoch and a sequence.
type gapFinder struct {
	epoch, next int64
	seen        bool
}

func (g *gapFinder) lost(m proto.Message) int64 {
	epoch, ok := int64Field(m, "epoch")
	sequence, ok2 := int64Field(m, "sequence")
	if !ok || !ok2 {
		return 0
	}
	lost := int64(0)
	if g.seen && epoch == g.epoch {
		lost = max(0, sequence-g.next)
	}
	g.epoch, g.next, g.seen = epoch, sequence+1, true
	return lost
}

// int64Field is the value of a field of the type int64.
func int64Field(m proto.Message, name protoreflect.Name) (int64, bool) {
	field := m.ProtoReflect().Descriptor().Fields().ByName(name)
	if field == nil || field.Kind() != protoreflect.Int64Kind || field.IsList() {
		return 0, false
	}
	return m.ProtoReflect().Get(field).Int(), true
}
