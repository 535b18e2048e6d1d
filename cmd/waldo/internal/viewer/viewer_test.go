package viewer

import (
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/window"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// newTest is a viewer without a window, and what it says.
func newTest() (v *viewer, said *[]string) {
	said = &[]string{}
	r := &reader{
		Config: Config{
			Address: bus.Address{Robot: "demo", Device: "front"},
			Say:     func(s string) { *said = append(*said, s) },
		},
		status: "waiting for front",
	}
	return &viewer{reader: r}, said
}

// TestCaption tells what people have to know.
func TestCaption(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for want, change := range map[string]func(v *viewer){
		"waiting for front":                      func(*viewer) {},
		"front is not running, or not reachable": func(v *viewer) { v.reader.judge(nil, errUnreachable) },
		"front  64x48  3 fps  23 ms old":         func(v *viewer) { v.img, v.reader.status = img, "" },
		"front is away: unplugged; last picture 0 s ago": func(v *viewer) {
			v.img, v.reader.status = img, "front is away: unplugged"
		},
		"front: no picture for 7 s": func(v *viewer) {
			v.img, v.reader.status, v.reader.last = img, "", now.Add(-7*time.Second)
		},
		"front  64x48  3 fps  1.5 s old": func(v *viewer) {
			v.img, v.reader.status, v.capture = img, "", now.Add(-1500*time.Millisecond)
		},
		"front  64x48  3 fps  ? (the clocks differ) old": func(v *viewer) {
			v.img, v.reader.status, v.capture = img, "", now.Add(time.Minute)
		},
		"front: a picture cannot be shown: x": func(v *viewer) {
			v.img, v.reader.status, v.broken = img, "", "front: a picture cannot be shown: x"
		},
	} {
		v, _ := newTest()
		v.capture, v.reader.last = now.Add(-23*time.Millisecond), now
		for i := range 3 {
			v.drawn[i] = now.Add(-time.Duration(i) * 100 * time.Millisecond)
		}
		v.drawn[3] = now.Add(-2 * time.Second)
		change(v)
		if got := v.caption(now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestJudge: why a device sends nothing is said once, and its text is no danger to a terminal.
func TestJudge(t *testing.T) {
	v, said := newTest()
	reopened := 0
	v.reader.reopen, v.reader.epoch = func() { reopened++ }, 7
	device := func(state devicev1.DeviceState, reason string, epoch int64) *devicev1.Device {
		return &devicev1.Device{State: state, StateReason: reason, Epoch: epoch}
	}
	for range 2 {
		v.reader.judge(device(devicev1.DeviceState_DEVICE_STATE_AWAY, "no \x1b[31mcable", 7), nil)
	}
	v.reader.judge(device(devicev1.DeviceState_DEVICE_STATE_STARTING, "", 8), nil)
	v.reader.judge(device(devicev1.DeviceState_DEVICE_STATE_READY, "", 8), nil) // it is known to have been starting
	v.reader.status = ""
	v.reader.judge(device(devicev1.DeviceState_DEVICE_STATE_READY, "", 7), nil)
	if len(*said) != 3 || !strings.HasPrefix((*said)[0], "front is away: no ") || strings.Contains((*said)[0], "\x1b") ||
		!slices.Equal((*said)[1:], []string{"front is starting", "front sends no pictures"}) {
		t.Errorf("it says %q", *said)
	}
	if reopened != 2 {
		t.Errorf("the stream of another life was opened again %d times, want 2", reopened)
	}
}

// TestCaptionIsDrawn in the corner, brighter than what is around it, also where there is hardly any room.
func TestCaptionIsDrawn(t *testing.T) {
	line, err := newCaption()
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []image.Point{{320, 200}, {5, 5}, {1, 1}} {
		p := window.NewPicture(size.X, size.Y)
		for i := range p.Pix {
			p.Pix[i] = 100
		}
		line.write(p, "front  30 fps")
		if c := at(p, 0, 0); c.R != 25 {
			t.Errorf("%v: the ground is %v", size, c)
		}
		if size.X > 300 && (slices.Max(p.Pix) < 250 || at(p, 310, 190).R != 100) {
			t.Errorf("%v: the brightest is %d, and the rest %v", size, slices.Max(p.Pix), at(p, 310, 190))
		}
	}
}

func TestJPEGStream(t *testing.T) {
	const in, out = devicev1.StreamDirection_STREAM_DIRECTION_IN, devicev1.StreamDirection_STREAM_DIRECTION_OUT
	jpeg, h264 := []string{"image/jpeg"}, []string{"video/H264"}
	video := &devicev1.StreamInfo{Name: "video", Direction: out, MediaTypes: h264}
	alternative := &devicev1.StreamInfo{Name: "video-jpeg", Direction: out, MediaTypes: jpeg, AlternativeTo: "video"}
	for name, tt := range map[string]struct {
		streams []*devicev1.StreamInfo
		wanted  string
		want    string // a name, or what the error says
	}{
		"usual": {[]*devicev1.StreamInfo{video, alternative}, "", "video-jpeg"},
		"named": {[]*devicev1.StreamInfo{video, alternative}, "video-jpeg", "video-jpeg"},
		"no JPEG": {[]*devicev1.StreamInfo{video, alternative}, "video",
			`"video" is not one of JPEG; those are: video-jpeg`},
		"none":         {[]*devicev1.StreamInfo{video}, "", "only video (video/H264)"},
		"no camera":    {[]*devicev1.StreamInfo{{Name: "rx", Direction: out}}, "", "not a camera"},
		"other way":    {[]*devicev1.StreamInfo{{Name: "screen", Direction: in, MediaTypes: jpeg}}, "", "not a camera"},
		"nothing said": {nil, "video-jpeg", "not a camera"},
	} {
		got, err := jpegStream(&devicev1.Device{Streams: tt.streams}, tt.wanted)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) || err == nil && got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestOnThisMachine(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1:7101": true, "localhost:1": true, "[::1]:7": true,
		"192.168.1.4:7101": false, "robot:7101": false, "": false, "127.0.0.1": false} {
		if got := onThisMachine(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

// TestTokenIsForTheRobot: it is not sent to an address of loopback unless the bus is on this machine.
func TestTokenIsForTheRobot(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	with := func(token string) *reader { return &reader{Config: Config{Conn: conn.Conn, Token: token}} }
	if !with("secret").mayDial("127.0.0.1:7101") {
		t.Error("beside the bus, a device of loopback is not read directly")
	}
	conn.Close()                                   // it is on no machine then
	for address, want := range map[string][2]bool{ // without and with a token
		"127.0.0.1:7101": {true, false}, "[::1]:7101": {true, false}, "192.0.2.1:7101": {true, true}, "": {false, false},
	} {
		if got := [2]bool{with("").mayDial(address), with("secret").mayDial(address)}; got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
}
