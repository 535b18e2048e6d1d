package work_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/work"
)

// patience is how long the tests wait for what must happen; it is only reached when it does not.
const patience = 60 * time.Second

var front = bus.Address{Robot: "demo", Device: "front"}

// childVariable makes the test program a worker: it is the server's URL, or that and " lossless".
const childVariable = "WALDO_TEST_WORKER"

func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		child(url)
	}
	goleak.VerifyTestMain(m)
}

// child works until it is killed. It answers the first frame and holds on to the second, so that there is one that dies
// with it.
func child(options string) {
	url, lossless := strings.CutSuffix(options, " lossless")
	conn, err := bus.Connect(bus.Config{URL: url})
	if err == nil {
		answered := false
		stuck := func(ctx context.Context, f *mediav1.VideoFrame) (*workv1.Result, error) {
			if answered {
				select {}
			}
			answered = true
			return number(ctx, f)
		}
		_, err = work.Start(conn.Conn, front, "faces", stuck, work.Config{Name: "child", Lossless: lossless, Queue: 100})
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// startChild starts a worker that is a process.
func startChild(t *testing.T, options string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childVariable+"="+options)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

// camera is a device whose frames the test makes.
type camera struct {
	out      *device.Out[*mediav1.VideoFrame]
	epoch    int64
	stop     func()
	sequence atomic.Int64
}

type driver struct{}

func (driver) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

type none struct{}

func startCamera(t *testing.T, url string) *camera {
	t.Helper()
	c := &camera{}
	kind := device.Kind[none]{Name: "camera", Version: "1.0.0", New: func(k *device.Kit, _ none) (device.Driver, error) {
		c.epoch = k.Epoch()
		c.out = device.NewOut[*mediav1.VideoFrame](k, "video-jpeg", device.OutOptions{Whole: true})
		return driver{}, nil
	}}
	p, err := device.Start(kind, device.Settings{Robot: front.Robot, Device: front.Device, NATS: url}, none{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.stop = sync.OnceFunc(func() { p.Stop() })
	t.Cleanup(c.stop)
	return c
}

// publish publishes n frames of size bytes, one every now and then, once somebody holds the stream.
func (c *camera) publish(t *testing.T, n, size int, every time.Duration) {
	t.Helper()
	until(t, "the camera is held", c.out.Held)
	for range n {
		c.out.Publish(&mediav1.VideoFrame{Epoch: c.epoch, Sequence: c.sequence.Add(1) - 1,
			CaptureTime: timestamppb.Now(), Data: make([]byte, size), KeyFrame: true})
		time.Sleep(every)
	}
}

// rig is a bus with a camera, and a connection for what the test does.
type rig struct {
	url    string
	conn   *bus.ConnCloser
	camera *camera
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r := &rig{url: s.URL()}
	r.conn = r.connect(t)
	r.camera = startCamera(t, r.url)
	return r
}

func (r *rig) connect(t *testing.T) *bus.ConnCloser {
	t.Helper()
	c, err := bus.Connect(bus.Config{URL: r.url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// worker starts a worker on a connection of its own. It returns when frames are dealt to it.
func (r *rig) worker(t *testing.T, track string, do work.Func, config work.Config) *work.Worker {
	t.Helper()
	conn := r.connect(t)
	w, err := work.Start(conn.Conn, front, track, do, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (r *rig) collect(t *testing.T, track string, config work.ResultsConfig) *work.Results {
	t.Helper()
	results, err := work.Collect(r.conn.Conn, front, track, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(results.Close)
	if err := r.conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return results
}

// number is a function whose result is the number of the frame.
func number(_ context.Context, f *mediav1.VideoFrame) (*workv1.Result, error) {
	return &workv1.Result{Value: structpb.NewNumberValue(float64(f.GetSequence()))}, nil
}

// next returns the next result.
func next(t *testing.T, r *work.Results) *workv1.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := r.Next(ctx)
	if err != nil {
		t.Fatalf("%v: %+v", err, r.Stats())
	}
	return result
}

// inOrder reads results up to the one of a frame, and returns which frames they are of.
func inOrder(t *testing.T, r *work.Results, epoch, last int64) (got []int64) {
	t.Helper()
	for {
		result := next(t, r)
		n := result.GetSequence()
		if result.GetEpoch() != epoch || len(got) > 0 && n <= got[len(got)-1] {
			t.Fatalf("%d:%d after %v of %d", result.GetEpoch(), n, got, epoch)
		}
		done := result.GetOutcome() == workv1.Outcome_OUTCOME_DONE
		if done && result.GetValue().GetNumberValue() != float64(n) {
			t.Errorf("the result of frame %d is %v", n, result.GetValue())
		}
		if got = append(got, n); n >= last {
			return got
		}
	}
}

// all are the numbers from one up to another.
func all(from, to int64) string {
	var n []int64
	for ; from <= to; from++ {
		n = append(n, from)
	}
	return fmt.Sprint(n)
}

// until waits for a state that makes no event.
func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
