package launch

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
)

const video = launcherv1.SlotContent_SLOT_CONTENT_VIDEO

func TestCheckSlot(t *testing.T) {
	for _, tt := range []struct {
		name    string
		content launcherv1.SlotContent
		ttl     *durationpb.Duration
		want    string // in the error; "" for none
	}{
		{"lamp", video, durationpb.New(0), ""},
		{"lamp", launcherv1.SlotContent_SLOT_CONTENT_MESSAGES, durationpb.New(time.Minute), ""},
		{"", video, durationpb.New(0), "name: has no name"},
		{"Lamp", video, durationpb.New(0), "name: "},
		{"../lamp", video, durationpb.New(0), "name: "},
		{strings.Repeat("a", 64), video, durationpb.New(0), "name: "},
		{"launcher", video, durationpb.New(0), "taken by Waldo"},
		{"gateway", video, durationpb.New(0), "taken by Waldo"},
		{"lamp", 0, durationpb.New(0), "content: "},
		{"lamp", 99, durationpb.New(0), "content: "},
		{"lamp", video, nil, "ttl: is missing"},
		{"lamp", video, &durationpb.Duration{Seconds: 1, Nanos: -1}, "ttl: is missing or not"},
		{"lamp", video, durationpb.New(-1), "ttl: -1ns is out of range"},
		{"lamp", video, durationpb.New(time.Minute + 1), "is out of range: use 0 to 1m0s"},
	} {
		_, err := checkSlot(&launcherv1.OpenSlotRequest{Name: tt.name, Content: tt.content, Ttl: tt.ttl})
		if (err == nil) != (tt.want == "") || err != nil &&
			(status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// newServer is the server of a launcher that runs nothing.
func newServer(t *testing.T, programs Programs) *server {
	t.Helper()
	plan, err := New(load(t, "robot: demo\ndevices:\n  front: {kind: camera}\n"), programs, Config{NoGateway: true})
	if err != nil {
		t.Fatal(err)
	}
	printer := supervise.NewPrinter(io.Discard, nil, false)
	t.Cleanup(printer.Close)
	return &server{supervisor: supervise.New(printer), printer: printer, plan: plan, wake: make(chan struct{}, 1),
		slots: map[string]*slot{}}
}

func TestSlotsAreBounded(t *testing.T) {
	s := newServer(t, Programs{launchtest.Install(t, "waldo-camera", "waldo-peer")})
	for i := range maxSlots {
		s.slots[fmt.Sprint("slot-", i)] = &slot{content: video}
	}
	err := s.open("lamp", video, time.Minute)
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "slot-3") {
		t.Errorf("%v", err)
	}
	s = newServer(t, installed(t))
	if err := s.open("lamp", video, time.Minute); status.Code(err) != codes.FailedPrecondition ||
		!strings.Contains(err.Error(), "waldo-peer") {
		t.Errorf("without the program: %v", err)
	}
}

// TestSweep: slots end when their time is over, and the next look is when the next one's is.
func TestSweep(t *testing.T) {
	s := newServer(t, installed(t))
	synctest.Test(t, func(t *testing.T) {
		for i := range 3 {
			s.slots[fmt.Sprint("slot-", i)] = &slot{content: video, ends: time.Now().Add(time.Duration(i) * time.Second)}
		}
		for want := range 3 {
			if next := s.sweep(); want < 2 && next != time.Second || want == 2 && next != maxTTL {
				t.Errorf("looks again after %v", next)
			}
			if len(s.slots) != 2-want {
				t.Errorf("%d slots", len(s.slots))
			}
			time.Sleep(time.Second)
		}
	})
}
