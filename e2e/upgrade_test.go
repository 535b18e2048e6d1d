package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// timed is a message of a stream.
type timed interface {
	proto.Message
	GetEpoch() int64
	GetSequence() int64
}

// capturedAt is when the content of a message was captured, or read from a line.
func capturedAt(m timed) time.Time {
	switch m := m.(type) {
	case interface{ GetCaptureTime() *timestamppb.Timestamp }:
		return m.GetCaptureTime().AsTime()
	case interface{ GetReadTime() *timestamppb.Timestamp }:
		return m.GetReadTime().AsTime()
	}
	return time.Time{}
}

// follower reads a stream of the device front on the bus, beside the page.
type follower[M timed] struct {
	frames  *bus.Subscription[M]
	last    M
	resync  media.Resync
	started bool // a key frame has come
	lives   int
}

// follow reads the stream of a camera.
func follow(tb testing.TB, robot *harness.Robot) *follower[*mediav1.VideoFrame] {
	tb.Helper()
	return followStream[*mediav1.VideoFrame](tb, robot, "video")
}

func followStream[M timed](tb testing.TB, robot *harness.Robot, name string) *follower[M] {
	tb.Helper()
	conn, err := bus.Connect(bus.Config{URL: robot.NATS, Name: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	address := bus.Address{Robot: "e2e", Device: "front"}
	frames, err := bus.Subscribe[M](conn.Conn, address.Out(name), stream.DropOldest(10_000))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(frames.Close)
	hold := conn.Hold(address, name, "test")
	tb.Cleanup(hold.Close)
	return &follower[M]{frames: frames}
}

// next returns the next frame, and the one before.
func (f *follower[M]) next(tb testing.TB) (frame, last M) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), harness.Patience)
	defer cancel()
	frame, err := f.frames.Next(ctx)
	if err != nil {
		tb.Fatalf("no frame after %d of %d: %v", f.last.GetSequence(), f.last.GetEpoch(), err)
	}
	last, f.last = f.last, frame
	return frame, last
}

// change reads on until the device has begun another life, and returns how long after the last capture of the life
// before its first one was.
func (f *follower[M]) change(tb testing.TB) time.Duration {
	tb.Helper()
	for {
		frame, last := f.next(tb)
		if frame.GetEpoch() != last.GetEpoch() && last.GetEpoch() != 0 {
			return capturedAt(frame).Sub(capturedAt(last))
		}
	}
}

// unbroken reads on until so many lives of the camera have begun, and 30 frames of the last one have come. It fails the
// test if a frame comes that a decoder cannot show after those before: of a life that is over, a second time, after a
// later one, after one that is missing unless it is a key frame, or as the first of a life unless it is a key frame.
func (f *follower[M]) unbroken(tb testing.TB, lives int) {
	tb.Helper()
	for inLast := 0; inLast < 30; {
		frame, last := f.next(tb)
		keyed, ok := any(frame).(interface{ GetKeyFrame() bool })
		key := !ok || keyed.GetKeyFrame()
		if frame.GetEpoch() != last.GetEpoch() {
			f.lives++
		}
		if !f.resync.Accept(frame.GetEpoch(), frame.GetSequence(), key) && f.started {
			tb.Fatalf("frame %d of %d (key frame: %v) comes after %d of %d", frame.GetSequence(), frame.GetEpoch(), key,
				last.GetSequence(), last.GetEpoch())
		}
		f.started = f.started || key // the first frames may be those of a reader who came before
		if f.lives == lives {
			inLast++
		}
		if f.lives > lives {
			tb.Fatalf("the camera has begun life %d of %d with frame %d of %d, after %d of %d", f.lives, lives,
				frame.GetSequence(), frame.GetEpoch(), last.GetSequence(), last.GetEpoch())
		}
	}
}

// upgradable are cameras that two processes can have at the same time.
func upgradable(t testing.TB) map[string]string {
	t.Helper()
	clip, err := filepath.Abs("../pkg/media/picture/testdata/high.h264")
	if err != nil {
		t.Fatal(err)
	}
	network := harness.FreeAddress(t)
	fakeCamera(t, network, "-clip", "high.h264")
	return map[string]string{
		"simulated": "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}",
		"file":      fmt.Sprintf("front: {kind: camera, source: %q}", clip),
		"network":   fmt.Sprintf("front: {kind: rtsp-ingest, url: %q}", "rtsp://"+network+"/live"),
	}
}

// TestUpgrade: another process takes over the camera, and neither the page nor who reads the stream on the bus gets a
// frame that cannot be shown, or has to begin anew.
func TestUpgrade(t *testing.T) {
	browser := harness.StartBrowser(t)
	for name, device := range upgradable(t) {
		t.Run(name, func(t *testing.T) {
			robot := harness.StartRobot(t, harness.Options{Devices: device})
			page := browser.Open(t, robot.URL)
			front := page.Tile(t, "front")
			before, old := page.Connection(t), robot.Device(t, "front")
			f := follow(t, robot)
			f.unbroken(t, 1)
			for life := 2; life <= 3; life++ {
				robot.Waldo(t, "upgrade", "front")
				f.unbroken(t, life)
			}
			if missed := f.resync.Missed(); missed > 0 { // on a machine that is too busy to encode every picture
				t.Logf("%d frames did not come", missed)
			}
			next := robot.Device(t, "front")
			if next.PID == old.PID || next.Epoch == old.Epoch || next.GRPCAddress != old.GRPCAddress {
				t.Errorf("it was %+v, and is %+v", old, next)
			}
			front.WaitFrames(t, 30)
			if after := page.Connection(t); !after.Same(before) {
				t.Errorf("the connection changed:\n%+v\n%+v", before, after)
			}
			if pids := harness.Children(t, robot.PID(), filepath.Base("waldo-"+next.Kind)); len(pids) != 1 {
				t.Errorf("processes of the camera: %v", pids)
			}
			page.Close()
		})
	}
}

// TestUpgradeOfAll replaces every process; what can be open only once is back, and what is driven stays.
func TestUpgradeOfAll(t *testing.T) {
	robot, page := startRover(t)
	page.Click(t, "#drive-button")
	page.Until(t, "document.querySelector('#drive').dataset.drive === 'driving'")
	before := map[string]harness.Device{}
	for _, d := range robot.Devices(t) {
		before[d.Name] = robot.Device(t, d.Name)
	}
	out, err := exec.Command(harness.Bin(t, "waldo"), "upgrade", "--nats", robot.NATS).CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!strings.Contains(string(out), "motors was not upgraded: the lease is held by") ||
		!strings.Contains(string(out), "gateway was not upgraded: rover/motors: the lease is held by") {
		t.Errorf("%v:\n%s", err, out)
	}
	for name, old := range before {
		if next := robot.Device(t, name); (next.PID == old.PID) != (name == "motors") {
			t.Errorf("%s was process %d and is %d", name, old.PID, next.PID)
		}
	}
	if says := refusedUpgrade(t, robot, "bus"); !strings.Contains(says, "part of `waldo up`") {
		t.Errorf("the bus: %s", says)
	}
	robot.Waldo(t, "upgrade", "motors", "--force")
	if next := robot.Device(t, "motors"); next.PID == before["motors"].PID {
		t.Error("the motors were not upgraded by force")
	}
}

// TestUpgradeThatIsKilled has one of the two processes die at any moment: one serves in the end.
func TestUpgradeThatIsKilled(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	before := page.Connection(t)
	f := follow(t, robot)
	random := rand.New(rand.NewPCG(14, 3))
	for i := range 8 {
		victim := i % 2 // the old one, or the new one
		f.next(t)
		upgrade := beginUpgrade(t, robot, "front", "waldo-camera")
		time.Sleep(time.Duration(random.IntN(450)) * time.Millisecond) // into the middle of it
		_ = syscall.Kill(upgrade.pids[victim], syscall.SIGKILL)        // it may have ended
		_ = upgrade.cmd.Wait()                                         // whether it worked depends on the moment
		awaitOne(t, robot, "front", "waldo-camera")
		front.WaitState(t, "live")
		front.WaitFrames(t, 10)
	}
	if after := page.Connection(t); !after.Same(before) {
		t.Errorf("the connection changed:\n%+v\n%+v", before, after)
	}
}
