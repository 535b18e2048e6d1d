package camera

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
	"github.com/waldo-robot/waldo/services/camera/sim"
	"github.com/waldo-robot/waldo/video/source"
)

// board is a serial device on the bus that says what it is told to say, every 20 ms while its stream is held.
type board struct {
	process *device.Process
	says    atomic.Pointer[serialv1.SerialMessage]
	rx      *device.Out[*serialv1.SerialMessage]
}

func startBoard(t *testing.T, w *world, says *serialv1.SerialMessage) *board {
	t.Helper()
	b := &board{}
	b.says.Store(says)
	kind := device.Kind[struct{}]{Name: "serial", Version: "1.0.0",
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			b.rx = device.NewOut[*serialv1.SerialMessage](kit, "rx", device.OutOptions{})
			return b, nil
		}}
	settings := device.Settings{
		Robot: "test", Device: "motors", NATS: w.nats.URL(), GRPC: "127.0.0.1:0", Metrics: "127.0.0.1:0", LogLevel: "info"}
	var err error
	b.process, err = device.Start(kind, settings, struct{}{}, logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.process.Stop)
	return b
}

func (b *board) Run(ctx context.Context, ready func()) error {
	ready()
	return b.rx.WhileHeld(ctx, func(ctx context.Context) error {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				b.rx.Publish(b.says.Load())
			}
		}
	})
}

// record is a message with these values, in the order of a real board and with values that are of no interest here.
func record(values map[string]int64) *serialv1.SerialMessage {
	r := &serialv1.Record{}
	for _, key := range []string{"uptime", "left", "right", "x", "y", "heading", "battery", "flags"} {
		if v, ok := values[key]; ok {
			value := &serialv1.Value{Kind: &serialv1.Value_Integer{Integer: v}}
			r.Fields = append(r.Fields, &serialv1.Field{Key: key, Value: value})
		}
	}
	return &serialv1.SerialMessage{Body: &serialv1.SerialMessage_Record{Record: r}}
}

func standing(x, y, heading int64) *serialv1.SerialMessage {
	return record(map[string]int64{"uptime": 1, "left": 0, "right": 0, "x": x, "y": y, "heading": heading,
		"battery": 8000, "flags": 1})
}

func simulated() Config {
	c := Defaults()
	c.Source, c.Width, c.Height = "sim", 320, 180
	return c
}

// picture takes one, with all its pixels.
func picture(t *testing.T, w *world) *media.I420 {
	t.Helper()
	got, err := w.camera.CaptureFrame(t.Context(), &camerav1.CaptureFrameRequest{
		Format: &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420}})
	if err != nil {
		t.Fatal(err)
	}
	f := got.GetFrame()
	img, err := media.I420FromPacked(f.GetData(), int(f.GetFormat().GetWidthPx()), int(f.GetFormat().GetHeightPx()))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// colourful reports whether a picture is live: others are grey.
func colourful(p *media.I420) bool {
	return bytes.Count(p.U, []byte{128}) < len(p.U) || bytes.Count(p.V, []byte{128}) < len(p.V)
}

// expected is the picture from a pose, as the source paints it by itself.
func expected(t *testing.T, view string, pose simworld.Pose) *media.I420 {
	t.Helper()
	s, err := sim.Open(fixed(pose), sim.Config{Width: 320, Height: 180, View: view})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var img *media.I420
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Capture(ctx, func(f source.Frame) { img = f.Picture; cancel() }); err != nil {
		t.Fatal(err)
	}
	return img
}

// fixed is a rover that stands somewhere, and always will.
type fixed simworld.Pose

func (f fixed) Listen(ctx context.Context, heard func(sim.Report)) error {
	heard(sim.Report{Pose: simworld.Pose(f), Time: time.Now().Add(time.Hour)})
	<-ctx.Done()
	return ctx.Err()
}

func TestSimShowsWhereTheBoardIs(t *testing.T) {
	home := simworld.New().Start()
	for _, view := range sim.Views() {
		t.Run(view, func(t *testing.T) {
			config := simulated()
			config.View = view
			w := start(t, Kind(), config)
			b := startBoard(t, w, standing(0, 0, 0))
			w.await(t, "ready", w.state(ready))
			shows := func(pose simworld.Pose) func() bool {
				want := expected(t, view, pose)
				return func() bool { return bytes.Equal(picture(t, w).Packed(), want.Packed()) }
			}
			w.await(t, "a picture from the start", shows(home))
			b.says.Store(standing(1500, 250, 500))
			w.await(t, "a picture from elsewhere", shows(simworld.Odometry{X: 1500, Y: 250, Heading: 500}.Pose(home)))
			b.process.Stop()
			w.await(t, "a grey picture without a board", func() bool { return !colourful(picture(t, w)) })
			startBoard(t, w, standing(0, 0, 0))
			w.await(t, "the start again with a new board", shows(home))
		})
	}
}

func TestSimHoldsTheBoardOnlyWhileSomebodyLooks(t *testing.T) {
	w := start(t, Kind(), simulated())
	b := startBoard(t, w, standing(0, 0, 0))
	w.await(t, "ready", w.state(ready))
	for range 2 {
		if b.rx.Held() {
			t.Error("held with nobody looking")
		}
		hold := w.conn.Hold(w.address, "video", "test")
		w.await(t, "held", b.rx.Held)
		hold.Close()
		w.await(t, "free", func() bool { return !b.rx.Held() })
	}
}

// TestSimFollowsAnotherDevice has nobody at the usual name.
func TestSimFollowsAnotherDevice(t *testing.T) {
	config := simulated()
	config.Follow = "wheels"
	w := start(t, Kind(), config)
	w.await(t, "ready", w.state(ready))
	if a := w.process.Kit().Device().GetAttributes(); a["follows"] != "wheels" || a["driver"] != "sim" ||
		a["view"] != "front" {
		t.Errorf("attributes %v", a)
	}
	startBoard(t, w, standing(0, 0, 0)) // motors
	if colourful(picture(t, w)) {
		t.Error("the picture looks live, but nothing was heard of wheels")
	}
}

func TestReports(t *testing.T) {
	home := simworld.New().Start()
	r := &rover{start: home}
	all := map[string]int64{"left": 51, "right": -255, "x": 100, "y": -200, "heading": 1571, "flags": 6}
	without := func(key string) *serialv1.SerialMessage {
		some := map[string]int64{}
		for k, v := range all {
			if k != key {
				some[k] = v
			}
		}
		return record(some)
	}
	pose := simworld.Odometry{X: 100, Y: -200, Heading: 1571}.Pose(home)
	fraction := record(all)
	fraction.GetRecord().GetFields()[2].Value = &serialv1.Value{Kind: &serialv1.Value_Number{Number: 0.1}}
	large := record(all)
	large.GetRecord().GetFields()[2].Value = &serialv1.Value{Kind: &serialv1.Value_LargeInteger{LargeInteger: 100}}
	for name, tt := range map[string]struct {
		message *serialv1.SerialMessage
		want    *sim.Report
	}{
		"all":         {record(all), &sim.Report{Pose: pose, Left: 0.16, Right: -0.8, Bumped: true}},
		"no bumper":   {without("flags"), &sim.Report{Pose: pose, Left: 0.16, Right: -0.8}},
		"no duty":     {without("left"), &sim.Report{Pose: pose, Right: -0.8, Bumped: true}},
		"large":       {large, &sim.Report{Pose: pose, Left: 0.16, Right: -0.8, Bumped: true}},
		"no x":        {without("x"), nil},
		"no y":        {without("y"), nil},
		"no heading":  {without("heading"), nil},
		"x in metres": {fraction, nil},
		"a line":      {&serialv1.SerialMessage{Body: &serialv1.SerialMessage_Line{Line: "x=1"}}, nil},
		"nothing":     {&serialv1.SerialMessage{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			before := time.Now()
			got, ok := r.report(tt.message)
			if ok != (tt.want != nil) {
				t.Fatalf("told where the rover is: %v", ok)
			}
			if !ok {
				return
			}
			if got.Time.Before(before) {
				t.Errorf("heard at %v", got.Time)
			}
			if got.Time = (time.Time{}); got != *tt.want {
				t.Errorf("got %+v, want %+v", got, *tt.want)
			}
		})
	}
}

// complaints counts lines of a log that say what readKeys must be.
type complaints struct{ atomic.Int32 }

func (c *complaints) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("readKeys")) {
		c.Add(1)
	}
	return len(line), nil
}

func TestABoardThatSaysOtherThingsIsComplainedAboutOnce(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := &world{conn: conn, address: bus.Address{Robot: "test", Device: "motors"}}
	said := &complaints{}
	r := &rover{conn: conn.Conn, board: w.address, log: slog.New(slog.NewTextHandler(said, nil))}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error)
	var heard atomic.Int32
	go func() { ended <- r.Listen(ctx, func(sim.Report) { heard.Add(1) }) }()
	say := func(m *serialv1.SerialMessage) {
		if err := conn.Publish(w.address.Out("rx"), m); err != nil {
			t.Fatal(err)
		}
	}
	w.await(t, "a complaint", func() bool {
		say(record(map[string]int64{"left": 1}))
		return said.Load() > 0
	})
	for i := range int32(20) {
		say(record(map[string]int64{"left": 1}))
		w.await(t, "a report", func() bool {
			say(standing(0, 0, 0))
			return heard.Load() > i
		})
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("listening ended with %v", err)
	}
	if n := said.Load(); n != 1 {
		t.Errorf("%d complaints", n)
	}
}
