package devices_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/devices"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 10 * time.Second

// start returns a directory on a bus of its own, and a connection for others.
func start(t *testing.T, expected ...*devicev1.Device) (*devices.Directory, *bus.Conn, string) {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	d, err := devices.New(conn.Conn, "demo", devices.Config{Expected: expected})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d, conn.Conn, server.URL()
}

// await waits until the list has a certain look.
func await(t *testing.T, d *devices.Directory, what string, ok func(map[string]bool) bool) {
	t.Helper()
	deadline := time.After(timeout)
	for {
		list, changed := d.List()
		gone := make(map[string]bool)
		for _, s := range list.GetDevices() {
			gone[s.GetDevice().GetName()] = s.GetGone()
		}
		if ok(gone) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not within %v: %s; the list is %v", timeout, what, gone)
		}
	}
}

func TestDevicesComeAndGo(t *testing.T) {
	d, conn, url := start(t, &devicev1.Device{Name: "rear", Kind: "camera"})
	await(t, d, "the expected one is listed as gone", func(gone map[string]bool) bool {
		return len(gone) == 1 &&
			gone["rear"]
	})
	if err := d.Check("rear"); err != nil {
		t.Errorf("an expected device is unknown: %v", err)
	}
	if err := d.Check("front"); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "rear") {
		t.Errorf("unknown device: %v, want NotFound that names rear", err)
	}
	cam, err := fakecam.Start(url, bus.Address{Robot: "demo", Device: "front"}, fakecam.Config{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, d, "front is there", func(gone map[string]bool) bool { g, known := gone["front"]; return known && !g })
	// Strangers: another robot's, and one whose name cannot be.
	for _, stranger := range []*devicev1.Device{{Robot: "other", Name: "arm"}, {Robot: "demo", Name: "*.>"}} {
		if err := conn.Publish((bus.Address{Robot: "demo", Device: "arm"}).State(), stranger); err != nil {
			t.Fatal(err)
		}
	}
	cam.Stop()
	await(t, d, "front is gone", func(gone map[string]bool) bool { return gone["front"] })
	if err := d.Check("front"); err != nil {
		t.Errorf("a dead device is unknown: %v", err)
	}
	if err := d.Check("arm"); err == nil {
		t.Error("a stranger is listed")
	}
}

func TestNobodyYet(t *testing.T) {
	d, _, _ := start(t)
	if err := d.Check("front"); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "is it running?") {
		t.Errorf("unknown device on an empty bus: %v", err)
	}
}

func TestFeed(t *testing.T) {
	d, _, url := start(t, &devicev1.Device{Name: "rear"})
	cam, err := fakecam.Start(url, bus.Address{Robot: "demo", Device: "front"},
		fakecam.Config{NeverOnRequest: true, KeyFrameEvery: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Stop()
	feed, err := d.Video(tracks.Stream{Device: "front", Name: "video"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	first, err := feed.Next(ctx)
	if err != nil || first.GetEpoch() != cam.Epoch() || !first.GetKeyFrame() {
		t.Errorf("first frame: %v %v", first, err)
	}
	await(t, d, "front is there", func(gone map[string]bool) bool { _, known := gone["front"]; return known })
	if keys := feed.KeyFrames(); keys != (tracks.KeyFrames{AsIs: true}) {
		t.Error("the camera cannot be asked, and says so")
	}
	if err := feed.RequestKeyFrame(ctx); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("asking it: %v", err)
	}
	feed.Close()
	if n := cam.Holders(); n != 0 {
		t.Errorf("%d holds are left", n)
	}
	if _, err := feed.Next(ctx); err == nil {
		t.Error("a closed feed has frames")
	}
	f, err := d.Snapshot(ctx, "front", 320, 240)
	if err != nil || f.GetFormat().GetMediaType() != "image/jpeg" || f.GetFormat().GetWidthPx() != 320 {
		t.Errorf("snapshot: %v %v", f, err)
	}
	if _, err := d.Snapshot(ctx, "rear", 0, 0); status.Code(err) != codes.Unavailable {
		t.Errorf("snapshot of nobody: %v", err)
	}
	if _, err := d.Snapshot(ctx, "tail", 0, 0); status.Code(err) != codes.NotFound {
		t.Errorf("snapshot of a stranger: %v", err)
	}
}

// TestFeedHoldsAGroup: what a device has kept since the last key frame comes at once, and nothing of it is lost.
func TestFeedHoldsAGroup(t *testing.T) {
	d, conn, _ := start(t)
	feed, err := d.Video(tracks.Stream{Device: "front", Name: "video"})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	const group = 600 // 20 s
	// What a busy machine keeps waiting for a second is lost, as it must be: the group comes again.
	for begin, all := time.Now(), false; !all; {
		published := time.Now()
		for i := range int64(group) {
			if err := conn.Publish((bus.Address{Robot: "demo", Device: "front"}).Out("video"),
				fakecam.Frame(published.UnixNano(), i, i == 0, 100)); err != nil {
				t.Fatal(err)
			}
		}
		n := int64(0)
		for f := within(t, feed, timeout); f != nil && f.GetEpoch() == published.UnixNano() && f.GetSequence() == n; n++ {
			if all = n == group-1; all {
				break
			}
			f = within(t, feed, time.Second)
		}
		if !all && time.Since(published) < time.Second {
			t.Fatalf("%d frames came", n)
		}
		if time.Since(begin) > timeout {
			t.Fatal("no group was whole")
		}
		for !all && within(t, feed, 100*time.Millisecond) != nil { // the rest of it
		}
	}
}

// TestFeedLosesWhatIsOld: pictures that waited while nothing could be packetized are not sent when it can again.
func TestFeedLosesWhatIsOld(t *testing.T) {
	t.Parallel()
	d, conn, _ := start(t)
	feed, err := d.Video(tracks.Stream{Device: "front", Name: "video"})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	publish := func(sequence int64) {
		if err := conn.Publish((bus.Address{Robot: "demo", Device: "front"}).Out("video"),
			fakecam.Frame(1, sequence, true, 100)); err != nil {
			t.Fatal(err)
		}
	}
	publish(0)
	publish(1)
	if err := conn.Flush(t.Context()); err != nil { // they are in this process, and queued within the half second to spare
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // the stall
	var f *mediav1.VideoFrame
	for begin, sequence := time.Now(), int64(2); f == nil; sequence++ { // a busy machine may stall again
		publish(sequence)
		f = within(t, feed, 200*time.Millisecond)
		if f == nil && time.Since(begin) > timeout {
			t.Fatal("nothing comes any more")
		}
	}
	if f.GetSequence() < 2 {
		t.Errorf("after a stall of 1.5 s frame %d comes", f.GetSequence())
	}
}

// within returns the next frame, or nil if none comes in that time.
func within(t *testing.T, feed tracks.VideoFeed, d time.Duration) *mediav1.VideoFrame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	f, err := feed.Next(ctx)
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return f
}

func TestSoundFeed(t *testing.T) {
	d, conn, url := start(t)
	cam, err := fakecam.Start(url, bus.Address{Robot: "demo", Device: "head"}, fakecam.Config{Silence: "audio"})
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Stop()
	feed, err := d.Audio(tracks.Stream{Device: "head", Name: "audio"})
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); cam.HoldersOf("audio") == 0; time.Sleep(time.Millisecond) {
		if time.Since(begin) > timeout {
			t.Fatal("the stream is not held")
		}
	}
	if err := conn.Publish((bus.Address{Robot: "demo", Device: "head"}).Out("audio"),
		&mediav1.AudioFrame{Epoch: 7, Sequence: 3}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if f, err := feed.Next(ctx); err != nil || f.GetEpoch() != 7 || f.GetSequence() != 3 {
		t.Errorf("%v %v", f, err)
	}
	feed.Close()
	if n := cam.HoldersOf("audio"); n != 0 {
		t.Errorf("%d holds are left", n)
	}
	if _, err := feed.Next(ctx); err == nil {
		t.Error("a closed feed has frames")
	}
}

// TestCarriers: a stream is carried by itself and by its alternatives, in the media types that the device names.
func TestCarriers(t *testing.T) {
	d, conn, _ := start(t, &devicev1.Device{Name: "front", Kind: "camera"})
	front := tracks.Stream{Device: "front", Name: "video"}
	if list, changed := d.Carriers(front); len(list) != 1 || list[0].Stream != front || list[0].MediaTypes != nil ||
		changed == nil {
		t.Errorf("of a device that was not heard of: %v", list)
	}
	_, changed := d.Carriers(front)
	err := conn.Publish((bus.Address{Robot: "demo", Device: "front"}).State(),
		&devicev1.Device{Robot: "demo", Name: "front", Streams: []*devicev1.StreamInfo{
			{Name: "depth", MediaTypes: []string{"video/VP8"}}, {Name: "video", MediaTypes: []string{"video/H264"},
				KeyFrameOnRequest: true},
			{Name: "video-vp8", MediaTypes: []string{"video/VP8"}, AlternativeTo: "video"},
			{Name: "depth-raw", AlternativeTo: "depth"},
			{Name: "video-h265", MediaTypes: []string{"video/H265"}, AlternativeTo: "video", PassedThrough: true,
				KeyFrameOnRequest: true},
			{Name: "video-small", MediaTypes: []string{"video/H264"}, AlternativeTo: "video", Small: true,
				KeyFrameOnRequest: true},
		}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-time.After(timeout):
		t.Fatal("the list is said to be up to date")
	}
	list, _ := d.Carriers(front)
	want := []tracks.Carrier{
		{Stream: front, MediaTypes: []string{"video/H264"}},
		{Stream: tracks.Stream{Device: "front", Name: "video-vp8"}, MediaTypes: []string{"video/VP8"}, AsIs: true},
		{Stream: tracks.Stream{Device: "front", Name: "video-h265"}, MediaTypes: []string{"video/H265"}, AsIs: true},
	}
	if fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("carried by %v, want %v", list, want)
	}
}

func TestCheckAccepts(t *testing.T) {
	d, conn, _ := start(t, &devicev1.Device{Name: "head", Kind: "audio"})
	if err := d.CheckAccepts("head", "speaker"); err != nil {
		t.Errorf("a device that has said nothing yet may have one: %v", err)
	}
	err := conn.Publish((bus.Address{Robot: "demo", Device: "head"}).State(),
		&devicev1.Device{Robot: "demo", Name: "head", Streams: []*devicev1.StreamInfo{
			{Name: "speaker", Direction: devicev1.StreamDirection_STREAM_DIRECTION_IN},
			{Name: "audio", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT},
		}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, d, "head is there", func(gone map[string]bool) bool { return !gone["head"] })
	if err := d.CheckAccepts("head", "speaker"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"audio", "feet"} { // one that goes the other way, and none
		if err := d.CheckAccepts("head", name); status.Code(err) != codes.FailedPrecondition ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckHas(t *testing.T) {
	d, conn, _ := start(t, &devicev1.Device{Name: "motors", Kind: "serial"})
	if err := d.CheckHas("motors", "video"); err != nil {
		t.Errorf("a device that has said nothing yet may have one: %v", err)
	}
	err := conn.Publish((bus.Address{Robot: "demo", Device: "motors"}).State(),
		&devicev1.Device{Robot: "demo", Name: "motors", Streams: []*devicev1.StreamInfo{
			{Name: "rx", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT},
			{Name: "audio", Direction: devicev1.StreamDirection_STREAM_DIRECTION_IN},
		}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, d, "motors are there", func(gone map[string]bool) bool { return !gone["motors"] })
	for _, tt := range []struct {
		names []string
		want  string // empty: it has one
	}{
		{[]string{"rx"}, ""},
		{[]string{"video", "rx"}, ""},
		{[]string{"video"}, "motors has no video"},
		{[]string{"audio", "video"}, "motors has no audio and no video"},
	} {
		err := d.CheckHas("motors", tt.names...)
		if tt.want == "" && err == nil {
			continue
		}
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.names, err)
		}
	}
}
