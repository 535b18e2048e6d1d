package hubtest_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var front = bus.Address{Robot: "rover", Device: "front"}

// fake answers with a description of a given size.
type fake struct {
	devicev1.UnimplementedDeviceServiceServer
	size int
}

func (f fake) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Robot: "rover", Name: "front", Kind: "camera",
		StateReason: string(bytes.Repeat([]byte("a"), f.size))}}, nil
}

func serve(t testing.TB, c *bus.ConnCloser, size int) {
	t.Helper()
	s, err := c.Serve(bus.ServiceConfig{Address: front, Kind: "camera", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RegisterService(&devicev1.DeviceService_ServiceDesc, fake{size: size}); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, c *bus.ConnCloser, a bus.Address) (*devicev1.Device, error) {
	t.Helper()
	r, err := devicev1.NewDeviceServiceClient(c.Client(a)).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	return r.GetDevice(), err
}

// TestCalls: a gateway calls a device of a robot, and gets an answer in parts.
func TestCalls(t *testing.T) {
	h := hubtest.Start(t, "rover", "arm")
	r := h.Robot(t, "rover")
	h.Robot(t, "arm")
	cloud := h.Cloud(t)
	if _, err := get(t, cloud, front); status.Code(err) != codes.Unavailable {
		t.Errorf("a device that is not there: %v", err)
	}
	const size = 5 << 20
	serve(t, r.Conn(t), size)
	var found *devicev1.Device
	hubtest.Await(t, "the device answers", func() (ok bool) {
		var err error
		found, err = get(t, cloud, front)
		return err == nil
	})
	if len(found.GetStateReason()) != size {
		t.Errorf("the answer has %d bytes", len(found.GetStateReason()))
	}
	hubtest.Await(t, "the gateway finds the device", func() bool { // which may be late to describe itself
		all, err := cloud.Devices(t.Context())
		if err != nil || len(all) > 1 {
			t.Errorf("the gateway finds %v, %v", all, err)
		}
		return len(all) == 1
	})
	r.Close()
	hubtest.Await(t, "the robot is away", func() bool {
		_, err := get(t, cloud, front)
		return status.Code(err) == codes.Unavailable
	})
}

// TestMessages: each is heard once, in both directions.
func TestMessages(t *testing.T) {
	h := hubtest.Start(t, "rover")
	r := h.Robot(t, "rover")
	ends := []*bus.ConnCloser{r.Conn(t), h.Cloud(t), h.Cloud(t)}
	var heard []*bus.Subscription[*messagev1.Message]
	for _, c := range ends {
		s, err := bus.Subscribe[*messagev1.Message](c.Conn, chat, stream.DropOldest(1000))
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, s)
	}
	for _, c := range ends {
		for _, s := range heard {
			hubtest.Await(t, "a message arrives", func() bool { return say(t, c, "hello") && next(t, s) == "hello" })
		}
		say(t, c, "once")
		say(t, c, "end")
		for i, s := range heard {
			n := 0
			for text := ""; text != "end"; text = next(t, s) {
				if text == "once" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d heard a message %d times", i, n)
			}
		}
	}
}

var chat = bus.Topic("rover", "chat")

func say(t *testing.T, c *bus.ConnCloser, text string) bool {
	t.Helper()
	if err := c.Publish(chat, &messagev1.Message{Body: &messagev1.Message_Text{Text: text}}); err != nil {
		t.Fatal(err)
	}
	return true
}

// next returns what is heard within a moment.
func next(t *testing.T, s *bus.Subscription[*messagev1.Message]) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	m, err := s.Next(ctx)
	if err != nil {
		return ""
	}
	return m.GetText()
}

// TestStates: they reach whoever subscribes to them at the hub, by wildcards too, and calls pass all the same.
func TestStates(t *testing.T) {
	h := hubtest.Start(t, "rover")
	c := h.Robot(t, "rover").Conn(t)
	serve(t, c, 10)
	for name, at := range map[string]*bus.ConnCloser{"cloud": h.Cloud(t),
		"rover": hubtest.Connect(t, h.RobotConfig(t, "rover"))} {
		for _, subject := range []string{"waldo.v1.*.*.state", front.State(), "waldo.v1.*.front.state", front.State()} {
			heard, err := bus.Subscribe[*devicev1.Device](at.Conn, subject, stream.DropOldest(10))
			if err != nil {
				t.Fatal(err)
			}
			hubtest.Await(t, name+" hears "+subject, func() bool {
				if err := c.Publish(front.State(), &devicev1.Device{}); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				_, err := heard.Next(ctx)
				return err == nil
			})
			heard.Close()
		}
		if _, err := get(t, at, front); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAsk: robots hear the question of gateways.
func TestAsk(t *testing.T) {
	h := hubtest.Start(t, "rover", "arm")
	h.Robot(t, "arm")
	asked, err := bus.Subscribe[*messagev1.Message](h.Robot(t, "rover").Conn(t).Conn, hub.Ask, stream.Latest())
	if err != nil {
		t.Fatal(err)
	}
	cloud := h.Cloud(t)
	hubtest.Await(t, "the robot hears the question", func() bool {
		_ = cloud.Publish(hub.Ask, &messagev1.Message{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := asked.Next(ctx)
		return err == nil
	})
}

// TestAccounts: a member learns which account it is in.
func TestAccounts(t *testing.T) {
	h := hubtest.Start(t, "rover")
	for want, cfg := range map[string]bus.Config{"rover": h.RobotConfig(t, "rover"), hub.Cloud: h.CloudConfig(t)} {
		if got, err := hubtest.Connect(t, cfg).Account(t.Context()); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}
