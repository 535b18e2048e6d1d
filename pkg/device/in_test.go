package device

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// receiver gives a device a stream "in" that it receives from while it runs, and returns what comes.
func receiver(policy stream.Policy, take func(float64)) (driverFunc, func(*Kit)) {
	var in *In[*wrapperspb.DoubleValue]
	run := func(ctx context.Context, ready func()) error {
		ready()
		return in.Receive(ctx, func(v *wrapperspb.DoubleValue) { take(v.GetValue()) })
	}
	return run, func(k *Kit) { in = NewIn[*wrapperspb.DoubleValue](k, "in", policy) }
}

// speaker returns what says the next number to the stream, and returns it.
func speaker(t *testing.T, c *bus.Conn, p *Process) (say func() float64) {
	next := 0.0
	return func() float64 {
		next++
		if err := errors.Join(c.Publish(p.Kit().Address().In("in"), wrapperspb.Double(next)),
			c.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		return next
	}
}

// untilHeard says numbers until one is heard. A device listens a moment after it is ready, and what goes by before is
// lost.
func untilHeard(say func() float64, got <-chan float64) float64 {
	for {
		say()
		select {
		case v := <-got:
			return v
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestReceive(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	got := make(chan float64, 100)
	run, equip := receiver(stream.DropOldest(100), func(v float64) { got <- v })
	p := start(t, kindOf(run, equip), Settings{NATS: server.URL()})
	d := untilState(t, states(t, c), ready)
	info := d.GetStreams()[1]
	if info.GetName() != "in" || info.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_IN ||
		info.GetMessageType() != "google.protobuf.DoubleValue" {
		t.Errorf("the device says of its stream: %v", info)
	}
	say := speaker(t, c, p)
	last := untilHeard(say, got)
	for want := last + 20; last < want; { // none is lost once it listens
		say()
		v := <-got
		if v != last+1 {
			t.Fatalf("%v follows %v", v, last)
		}
		last = v
	}
	if text := get(t, p, "/metrics"); !strings.Contains(text, `waldo_device_accepted_total{stream="in"} 2`) {
		t.Error("what was accepted is not counted")
	}
}

func TestReceiveOneAfterTheOther(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	begun, goOn := make(chan float64), make(chan struct{})
	run, equip := receiver(stream.Latest(), func(v float64) { begun <- v; <-goOn })
	p := start(t, kindOf(run, equip), Settings{NATS: server.URL()})
	untilState(t, states(t, c), ready)
	say := speaker(t, c, p)
	untilHeard(say, begun)
	var newest float64
	for range 50 { // while it is busy: only the newest is kept
		newest = say()
	}
	goOn <- struct{}{}
	for v := range begun {
		goOn <- struct{}{}
		if v == newest {
			break
		}
	}
}

func TestBadIn(t *testing.T) {
	server := startServer(t, embedded.Config{})
	for name, equip := range map[string]func(*Kit){
		`stream "in" is defined twice`: func(k *Kit) {
			NewIn[*wrapperspb.DoubleValue](k, "in", stream.Latest())
			NewIn[*wrapperspb.DoubleValue](k, "in", stream.Latest())
		},
		`stream "out" is defined twice`: func(k *Kit) {
			NewIn[*wrapperspb.DoubleValue](k, "out", stream.Latest())
			NewOut[*wrapperspb.DoubleValue](k, "out", OutOptions{})
		},
		`stream "level" is defined twice`: func(k *Kit) { NewIn[*wrapperspb.DoubleValue](k, "level", stream.Latest()) },
		"In Caps":                         func(k *Kit) { NewIn[*wrapperspb.DoubleValue](k, "In Caps", stream.Latest()) },
	} {
		_, err := Start(kindOf(work, equip), Settings{Robot: "r", Device: "d", NATS: server.URL()}, config{},
			logtest.New(t, slog.LevelInfo))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
