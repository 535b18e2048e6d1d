package insta360

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// streamAll loses nothing that a test brings.
var streamAll = stream.DropOldest(10_000)

func TestCommands(t *testing.T) {
	info := wire.Options{
		Serial: "IXSE42", CameraType: "Insta360 X4", Battery: &wire.Battery{Level: 80, Scale: 100},
		Storage: &wire.Storage{Free: 1, Total: 2},
	}
	r := overTCP(t, fast(fakecam.Insta360Config{Info: info}))
	r.receive(t)
	if got, err := r.Info(t.Context()); err != nil || !reflect.DeepEqual(got, info) {
		t.Errorf("info %+v, %v", got, err)
	}
	if err := errors.Join(r.TakePicture(t.Context()), r.StartCapture(t.Context())); err != nil {
		t.Error(err)
	}
	if got, err := r.CaptureStatus(t.Context()); err != nil || got != (wire.CaptureStatus{State: 1, Seconds: 12}) {
		t.Errorf("status %+v, %v", got, err)
	}
	if got, err := r.StopCapture(t.Context()); err != nil || got.URI == "" || got.Size != 5<<30 || got.Seconds != 61 {
		t.Errorf("file %+v, %v", got, err)
	}
	zone := time.FixedZone("", -3600)
	if err := r.SetTime(t.Context(), time.Date(2026, 11, 29, 7, 0, 0, 0, zone)); err != nil {
		t.Error(err)
	}
	commands := r.fake.Commands()
	types, set, err := wire.ParseOptions(commands[len(commands)-1].Data)
	if err != nil || set.LocalTime != 1795939200 || set.TimeZone != -3600 || !slices.Equal(types, []wire.Option{12, 13}) {
		t.Errorf("the clock was set with %v %+v, %v", types, set, err)
	}
	if got := fmt.Sprintf("%x", commands[3].Data) + fmt.Sprintf("%x", commands[4].Data); got != "0801" {
		t.Errorf("picture and recording were asked for with %s", got)
	}
	seen := map[uint32]bool{}
	for _, c := range commands {
		if c.Sequence == 0 || seen[c.Sequence] {
			t.Errorf("sequence number %d of %s", c.Sequence, c.Code)
		}
		seen[c.Sequence] = true
	}
}

// Cameras list at most 100 files at a time.
func TestFiles(t *testing.T) {
	var files []string
	for i := range 250 {
		files = append(files, fmt.Sprintf("/DCIM/Camera01/%03d.insv", i))
	}
	r := overTCP(t, fast(fakecam.Insta360Config{Files: files}))
	r.receive(t)
	for name, tt := range map[string]struct {
		start, limit int32
		want         []string
	}{
		"some":    {0, 30, files[:30]},
		"more":    {10, 150, files[10:160]},
		"all":     {0, 1000, files},
		"the end": {240, 100, files[240:]},
		"beyond":  {900, 100, nil},
	} {
		got, err := r.Files(t.Context(), tt.start, tt.limit)
		if err != nil || got.Total != 250 || !slices.Equal(got.URIs, tt.want) {
			t.Errorf("%s: %d of %d files, %v", name, len(got.URIs), got.Total, err)
		}
	}
}

func TestCommandsWithoutConnection(t *testing.T) {
	c := New(Config{Dial: closed})
	defer c.Close()
	if err := c.TakePicture(t.Context()); !errors.Is(err, device.ErrAway) {
		t.Errorf("got %v", err)
	}
	_, why := c.Open(t.Context())
	if err := c.TakePicture(t.Context()); why == nil || !errors.Is(err, why) {
		t.Errorf("got %v, want why there is no connection: %v", err, why)
	}
}

func TestACommandThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, fakecam.Insta360Config{Answer: answer(wire.TakePicture)})
		n := r.receive(t)
		began := time.Now()
		err := r.TakePicture(t.Context())
		if failed, ok := errors.AsType[*CommandError](err); !ok || failed.Status != 0 || !errors.Is(err,
			context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != answerTime {
			t.Errorf("after %v", took)
		}
		r.await(t, CommandFailed)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.TakePicture(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a call that is cancelled: %v", err)
		}
		n.leave()
		<-n.ended
	})
}

func TestTooManyCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, fakecam.Insta360Config{Answer: answer(wire.TakePicture)})
		n := r.receive(t)
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error)
		for range maxCommands {
			go func() { results <- r.TakePicture(ctx) }()
		}
		time.Sleep(time.Second)
		if err := r.TakePicture(t.Context()); !errors.Is(err, ErrTooMany) {
			t.Errorf("one too many: %v", err)
		}
		cancel()
		for range maxCommands {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if err := r.StartCapture(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		n.leave()
		<-n.ended
	})
}

// Numbers have 24 bits, and those that are waited for are left out.
func TestSequenceNumbersWrap(t *testing.T) {
	l := &link{sequence: wire.MaxSequence, waiting: map[uint32]chan wire.Packet{1: nil, 2: make(chan wire.Packet)}}
	delete(l.waiting, 1)
	var got []uint32
	for range 3 {
		n, err := l.reserve(make(chan wire.Packet, 1))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if !slices.Equal(got, []uint32{wire.MaxSequence, 1, 3}) {
		t.Errorf("got %v", got)
	}
}

func TestNotifications(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{}))
	r.receive(t).next(t, 1)
	battery, status := wire.Battery{Type: 1, Level: 7, Scale: 100}, wire.CaptureStatus{State: 1, Seconds: 9}
	for _, tt := range []struct {
		code wire.Code
		body []byte
		want Event
	}{
		{wire.BatteryUpdate, battery.Marshal(), Event{Kind: Battery, Battery: battery}},
		{wire.BatteryLow, battery.Marshal(), Event{Kind: BatteryLow, Battery: battery}},
		{wire.Shutdown, nil, Event{Kind: Shutdown}},
		{wire.StorageUpdate, wire.Storage{State: 1, Free: 2}.Marshal(), Event{Kind: Storage,
			Storage: wire.Storage{State: 1}}},
		{wire.StorageFull, nil, Event{Kind: StorageFull}},
		{wire.CaptureStopped, nil, Event{Kind: CaptureStopped}},
		{wire.CaptureUpdate, status.Marshal(), Event{Kind: CaptureChanged, Capture: status}},
		{8208, []byte{0xff}, Event{Kind: Other, Body: []byte{0xff}}},
		{9000, make([]byte, 5000), Event{Kind: Other, Body: make([]byte, maxBody)}},
	} {
		r.fake.Send(wire.Packet{Kind: wire.Message, Code: tt.code, Data: tt.body})
		got := r.await(t, tt.want.Kind)
		if got.Time.IsZero() || got.Code != tt.code {
			t.Errorf("%d: %+v", tt.code, got)
		}
		tt.want.Time, tt.want.Code = got.Time, got.Code
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%d became %+v, want %+v", tt.code, got, tt.want)
		}
	}
}

func FuzzNotification(f *testing.F) {
	f.Add(uint16(wire.BatteryUpdate), wire.Battery{Level: 5}.Marshal())
	f.Add(uint16(wire.CaptureUpdate), wire.CaptureStatus{State: 5}.MarshalAnswer())
	f.Add(uint16(9000), []byte{0xff})
	f.Fuzz(func(t *testing.T, code uint16, body []byte) {
		if e := notification(wire.Packet{Kind: wire.Message, Code: wire.Code(code), Data: body}); e.Kind < Battery ||
			len(e.Body) > maxBody {
			t.Fatalf("%+v", e)
		}
	})
}
