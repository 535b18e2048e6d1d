package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/bus"
)

const (
	slotVideo    = launcherv1.SlotContent_SLOT_CONTENT_VIDEO
	slotMessages = launcherv1.SlotContent_SLOT_CONTENT_MESSAGES
)

// opener opens slots of a fleet.
type opener struct {
	t        *testing.T
	launcher launcherv1.LauncherServiceClient
}

func newOpener(t *testing.T, f fleet) opener {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: f.nats})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return opener{t, launcherv1.NewLauncherServiceClient(conn.Client(bus.Address{Robot: "demo", Device: "launcher"}))}
}

func (o opener) open(name string, content launcherv1.SlotContent, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(o.t.Context(), 20*time.Second)
	defer cancel()
	_, err := o.launcher.OpenSlot(ctx, &launcherv1.OpenSlotRequest{Name: name, Content: content, Ttl: durationpb.New(ttl)})
	return err
}

func (o opener) must(name string, content launcherv1.SlotContent, ttl time.Duration) {
	o.t.Helper()
	if err := o.open(name, content, ttl); err != nil {
		o.t.Fatal(err)
	}
}

// TestSlots opens slots as a program does.
func TestSlots(t *testing.T) {
	f := newFleet(t, "")
	o := newOpener(t, f)
	o.must("lamp", slotVideo, time.Minute)
	o.must("notes", slotMessages, time.Minute)
	devices := f.list(t, 3)
	lamp := devices["lamp"]
	if lamp.Kind != "peer" || lamp.Attributes["carries"] != "video" ||
		devices["notes"].Attributes["carries"] != "messages" {
		t.Errorf("%+v", devices)
	}
	for want, err := range map[string]error{
		"is a device of the kind camera": o.open("front", slotVideo, time.Second),
		"carries video":                  o.open("lamp", slotMessages, time.Second),
	} {
		if status.Code(err) != codes.AlreadyExists || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	o.must("lamp", slotVideo, time.Minute) // renews it
	if again := f.list(t, 3)["lamp"]; again.PID != lamp.PID {
		t.Errorf("process %d became %d", lamp.PID, again.PID)
	}

	// It is supervised like any other process.
	if err := syscall.Kill(int(lamp.PID), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.await(t, "lamp is there again", func() bool { d := f.list(t, 3)["lamp"]; return d.PID != 0 && d.PID != lamp.PID })
	if code, out, errs := waldo(t, "restart", "lamp", "--nats", f.nats); code != 0 {
		t.Errorf("restart: %s%s", out, errs)
	}

	// A reload keeps slots, unless robot.yaml has their name.
	notes := f.list(t, 3)["notes"]
	f.write(t, f.yaml("  lamp: {kind: camera, grpc: \"127.0.0.1:0\"}\n"))
	if code, _, errs := waldo(t, "reload", "--nats", f.nats); code != 0 {
		t.Fatal(errs)
	}
	f.await(t, "lamp is a camera", func() bool { return f.list(t, 3)["lamp"].Kind == "camera" })
	if again := f.list(t, 3)["notes"]; again.PID != notes.PID {
		t.Errorf("process %d became %d", notes.PID, again.PID)
	}
	if err := o.open("lamp", slotVideo, time.Second); status.Code(err) != codes.AlreadyExists {
		t.Errorf("lamp is opened again: %v", err)
	}

	// A slot that is removed is gone, and can be opened again at once: two processes never have its name.
	o.must("notes", slotMessages, 0)
	o.must("notes", slotVideo, time.Minute)
	f.await(t, "notes carry video", func() bool { return f.list(t, 3)["notes"].Attributes["carries"] == "video" })
	if launchtest.Running(int(notes.PID)) {
		t.Error("both run")
	}
	o.must("notes", slotVideo, 0)
	f.list(t, 2)
	o.must("notes", slotVideo, 0) // which is no error
}

// TestASlotThatIsNotRenewed ends.
func TestASlotThatIsNotRenewed(t *testing.T) {
	f := newFleet(t, "")
	o := newOpener(t, f)
	o.must("kept", slotVideo, time.Minute)
	if err := o.open("lamp", slotVideo, 10*time.Millisecond); err != nil && status.Code(err) != codes.Unavailable {
		t.Fatal(err) // Unavailable: it has ended before its process ran
	}
	f.await(t, "lamp is gone", func() bool { _, there := f.list(t, 2)["lamp"]; return !there })
	f.logged(t, "the slot lamp was not renewed")
}

// TestASlotOfSomebodyElse is left alone: its name is taken.
func TestASlotOfSomebodyElse(t *testing.T) {
	f := newFleet(t, "")
	o := newOpener(t, f)
	log := open(t, f.log, syscall.O_WRONLY|syscall.O_APPEND)
	defer log.Close()
	start(t, log, "waldo-peer", "--robot", "demo", "--device", "lamp", "--nats", f.nats)
	f.list(t, 2)
	if err := o.open("lamp", slotVideo, time.Minute); status.Code(err) != codes.AlreadyExists ||
		!strings.Contains(err.Error(), "on the bus already") {
		t.Errorf("%v", err)
	}
}

// await waits until something is so.
func (f fleet) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// logged waits until the launcher has printed a text.
func (f fleet) logged(t *testing.T, want string) {
	t.Helper()
	f.await(t, "the launcher prints "+want, func() bool {
		text, err := os.ReadFile(f.log)
		return err == nil && strings.Contains(string(text), want)
	})
}
