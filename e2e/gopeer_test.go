package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/pkg/peer"
)

// goPeer is a Go program that is a peer: this one.
type goPeer struct {
	*peer.Robot
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	states []peer.Status
}

// startGoPeer connects to a robot and waits until that is live.
func startGoPeer(t testing.TB, robot *harness.Robot) *goPeer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := peer.Dial(ctx, robot.URL, peer.Options{Name: "e2e"})
	if err != nil {
		t.Fatal(err)
	}
	p := &goPeer{Robot: r, t: t, ctx: ctx}
	var watching sync.WaitGroup
	watching.Go(func() {
		for s := range r.States(ctx) {
			p.mu.Lock()
			p.states = append(p.states, s)
			p.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		r.Close()
		watching.Wait()
		cancel()
	})
	p.await(0, peer.Live)
	return p
}

// await waits for a state after the first n changes, and returns how many there are then.
func (p *goPeer) await(n int, wanted peer.State) (changes int) {
	p.t.Helper()
	harness.Until(p.t, "the peer is "+wanted.String(), func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, s := range p.states[min(n, len(p.states)):] {
			if s.State == wanted {
				changes = n + i + 1
				return nil
			}
		}
		return fmt.Errorf("%v", p.states)
	})
	return changes
}

// changes is how often the state has changed.
func (p *goPeer) changes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.states)
}

// film reads frames of the camera `front`, which must build on each other, until the test ends.
type film struct {
	t    testing.TB
	mu   sync.Mutex
	last *mediav1.VideoFrame
	seen int
}

func (p *goPeer) film() *film {
	f := &film{t: p.t}
	var reading sync.WaitGroup
	ctx, cancel := context.WithCancel(p.ctx)
	reading.Go(func() {
		for frame, err := range p.Camera("front").Frames(ctx, 30) {
			if ctx.Err() != nil || errors.Is(err, peer.ErrClosed) {
				return
			}
			if err == nil {
				f.see(frame)
			}
		}
	})
	p.t.Cleanup(func() {
		cancel()
		reading.Wait()
	})
	return f
}

func (f *film) see(frame *mediav1.VideoFrame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	follows := f.last != nil && frame.GetEpoch() == f.last.GetEpoch() && frame.GetSequence() == f.last.GetSequence()+1
	if !follows && !frame.GetKeyFrame() {
		f.t.Errorf("frame %d of %d follows %d of %d, and is no key frame", frame.GetSequence(), frame.GetEpoch(),
			f.last.GetSequence(), f.last.GetEpoch())
	}
	f.last = frame
	f.seen++
}

// await waits for n more frames.
func (f *film) await(n int) {
	f.t.Helper()
	f.mu.Lock()
	begin := f.seen
	f.mu.Unlock()
	harness.Until(f.t, fmt.Sprintf("%d more frames", n), func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.seen < begin+n {
			return fmt.Errorf("%d", f.seen-begin)
		}
		return nil
	})
}

// streamH264 streams frames of a camera over gRPC.
func streamH264(t testing.TB, ctx context.Context, address string) iter.Seq2[*mediav1.VideoFrame, error] {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	frames, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx, &camerav1.StreamFramesRequest{
		Format: &mediav1.VideoFormat{MediaType: "video/H264"}})
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(*mediav1.VideoFrame, error) bool) {
		for {
			r, err := frames.Recv()
			if f := r.GetFrame(); (f != nil || err != nil) && !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// TestGoPeerGetsTheFramesOfGRPC compares the frames of a real camera, byte by byte.
func TestGoPeerGetsTheFramesOfGRPC(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	camera := robot.Device(t, "front")
	p := startGoPeer(t, robot)
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	var mu sync.Mutex
	reference := make(map[int64]*mediav1.VideoFrame)
	var streaming sync.WaitGroup
	streaming.Go(func() {
		for f, err := range streamH264(t, ctx, camera.GRPCAddress) {
			if err != nil {
				return
			}
			mu.Lock()
			reference[f.GetSequence()] = f
			mu.Unlock()
		}
	})
	defer streaming.Wait()
	defer cancel()
	compared := 0
	for f, err := range p.Camera("front").Frames(ctx, 60) {
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		want := reference[f.GetSequence()]
		mu.Unlock()
		if want == nil {
			continue // it comes by the other way soon, or came before
		}
		if f.GetEpoch() != want.GetEpoch() || !bytes.Equal(f.GetData(), want.GetData()) ||
			f.GetKeyFrame() != want.GetKeyFrame() || f.GetFormat().GetMediaType() != want.GetFormat().GetMediaType() ||
			f.GetFormat().GetWidthPx() != want.GetFormat().GetWidthPx() ||
			f.GetFormat().GetHeightPx() != want.GetFormat().GetHeightPx() ||
			!f.GetCaptureTime().AsTime().Equal(want.GetCaptureTime().AsTime().Truncate(time.Microsecond)) {
			t.Fatalf("frame %d has %d bytes, %v, captured %v; over gRPC %d bytes, %v, captured %v", f.GetSequence(),
				len(f.GetData()), f.GetFormat(), f.GetCaptureTime().AsTime(), len(want.GetData()), want.GetFormat(),
				want.GetCaptureTime().AsTime())
		}
		if compared++; compared == 60 {
			return
		}
	}
}

// TestGoPeerOverOutages kills and freezes everything in turn. The peer says so, and goes on by itself.
func TestGoPeerOverOutages(t *testing.T) {
	all := t
	address := harness.FreeAddress(t)
	bus := harness.StartBus(t, address)
	robot := harness.StartRobot(t, harness.Options{NATS: "nats://" + address})
	p := startGoPeer(t, robot)
	f := p.film()
	f.await(30)
	changes := p.changes()

	t.Run("camera", func(t *testing.T) {
		camera := robot.Device(t, "front")
		harness.Crash(t, camera.PID)
		awaitNewLife(t, robot, camera)
		f.await(30)
		if s := p.State(); s.State != peer.Live {
			t.Errorf("without its camera the robot is %s", s)
		}
	})
	t.Run("bus", func(t *testing.T) {
		bus.Kill(t)
		bus = harness.StartBus(all, address) // for the tests that follow, too
		f.await(30)
		if s := p.State(); s.State != peer.Live {
			t.Errorf("over a new bus the robot is %s", s)
		}
	})
	t.Run("gateway killed", func(t *testing.T) {
		harness.Crash(t, robot.Gateway(t))
		changes = p.await(changes, peer.Stale)
		changes = p.await(changes, peer.Live)
		f.await(30)
	})
	t.Run("gateway frozen", func(t *testing.T) {
		resume := harness.Freeze(t, robot.Gateway(t))
		changes = p.await(changes, peer.Stale)
		resume()
		changes = p.await(changes, peer.Live)
		f.await(30)
	})
}

// goDriver drives with a lease, as any program does.
type goDriver struct {
	t      *testing.T
	lease  *lease.Lease
	motors serialv1.SerialServiceClient
}

func (p *goPeer) driver(t *testing.T) *goDriver {
	t.Helper()
	d := &goDriver{t: t, motors: serialv1.NewSerialServiceClient(p.Device("motors"))}
	harness.Until(t, "the lease", func() (err error) {
		d.lease, err = lease.Acquire(p.ctx, p.Device("motors"), "e2e")
		return err
	})
	return d
}

// drive sends commands until ctx ends or the lease is lost, and returns why.
func (d *goDriver) drive(ctx context.Context) error {
	for command := d.lease.Neutral(); ; command = `{"left": 120, "right": 120}` {
		header, err := d.lease.Header(ctx)
		if errors.Is(err, lease.ErrLost) || ctx.Err() != nil {
			return err
		}
		if err == nil {
			r, err := d.motors.WriteMessage(ctx, &serialv1.WriteMessageRequest{
				Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
			d.lease.Heard(r.GetReport(), err)
		}
		time.Sleep(30 * time.Millisecond) // the rate of the commands
	}
}

// TestGoPeerDrives: the rules of driving hold for Go peers: whatever dies, the motors stop, and the lease of before
// moves nothing.
func TestGoPeerDrives(t *testing.T) {
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: wire.Device()})
	robot.Device(t, "motors")
	p := startGoPeer(t, robot)
	moves := func(m harness.Motion) bool { return m.Left == 120 && m.Right == 120 }
	run := func(name string, breaks func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			d := p.driver(t)
			defer d.lease.Close()
			ctx, cancel := context.WithCancel(p.ctx)
			defer cancel()
			ended := make(chan error, 1)
			begin := time.Now()
			go func() { ended <- d.drive(ctx) }()
			wire.AwaitMotion(t, begin, "the motors turn", moves)
			broken := time.Now()
			breaks(t)
			if err := <-ended; !errors.Is(err, lease.ErrLost) {
				t.Errorf("driving ended with %v", err)
			}
			wire.MustStayStill(t, wire.AwaitStill(t, broken, quiet))
		})
	}
	run("gateway killed", func(t *testing.T) {
		before := p.changes()
		harness.Crash(t, robot.Gateway(t))
		p.await(p.await(before, peer.Lost), peer.Live)
	})
	run("gateway frozen", func(t *testing.T) {
		before := p.changes()
		resume := harness.Freeze(t, robot.Gateway(t))
		wire.AwaitStill(t, time.Now(), 2*control.LeaseTTL) // a shorter gap ends nothing
		p.await(before, peer.Stale)
		resume()
		p.await(p.await(before, peer.Stale), peer.Live)
	})
	run("actuator killed", func(t *testing.T) { harness.Crash(t, robot.Device(t, "motors").PID) })
	run("taken over", func(t *testing.T) {
		robot.Waldo(t, "send", "motors", `{"left": 0, "right": 0}`, "--take")
	})
}
