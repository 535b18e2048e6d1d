package recorder_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/recording/answers"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

// board tells its port, and in another version also who drives it.
type board struct {
	serialv1.UnimplementedSerialServiceServer
	controlv1.UnimplementedControlServiceServer
	port   string
	drives bool
	asked  chan struct{} // has a value once it was asked
}

func newBoard(port string, drives bool) *board {
	return &board{port: port, drives: drives, asked: make(chan struct{}, 1)}
}

func (b *board) kind() device.Kind[struct{}] {
	return device.Kind[struct{}]{Name: "serial", Version: "1.0.0",
		New: func(k *device.Kit, _ struct{}) (device.Driver, error) {
			serialv1.RegisterSerialServiceServer(k, b)
			if b.drives {
				controlv1.RegisterControlServiceServer(k, b)
			}
			return b, nil
		}}
}

// Run implements [device.Driver].
func (b *board) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// GetPort implements SerialService.
func (b *board) GetPort(context.Context, *serialv1.GetPortRequest) (*serialv1.GetPortResponse, error) {
	select {
	case b.asked <- struct{}{}:
	default:
	}
	return &serialv1.GetPortResponse{Port: &serialv1.Port{Name: b.port}}, nil
}

// attached waits until a file, which may be open, has so many attachments of a name, and returns them.
func (r *rig) attached(t *testing.T, file, name string, n int) [][]byte {
	t.Helper()
	var all [][]byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		f, err := read.Open(filepath.Join(r.folder, file))
		if err != nil {
			continue // it has nothing yet
		}
		all, err = f.AllAttachments(name, 1<<20)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err == nil && len(all) >= n {
			return all
		}
	}
	t.Fatalf("there are %d attachments %s, want %d", len(all), name, n)
	return nil
}

// services returns what an attachment says of the services of a device.
func services(t *testing.T, data []byte) string {
	t.Helper()
	var said devicev1.GetDescriptorsResponse
	if err := proto.Unmarshal(data, &said); err != nil {
		t.Fatal(err)
	}
	return strings.Join(said.GetServices(), " ")
}

// TestPapers: a recording has what devices answer; a device that restarts as another version while it is recorded is
// described and asked again, one that restarts as it was is not written twice, and the next file begins with all that.
func TestPapers(t *testing.T) {
	r := start(t, nil)
	r.record(t)
	first := run(t, r, "motors", newBoard("/dev/ttyACM0", false).kind(), struct{}{})
	open := r.begin(t).GetRecording().GetName() + ".part"
	port := func(data []byte) string {
		s, err := answers.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Answers["waldo.serial.v1.SerialService/GetPort"])
	}
	if got := port(r.attached(t, open, "answers/motors", 1)[0]); got != `{"port":{"name":"/dev/ttyACM0"}}` {
		t.Errorf("the port is %s", got)
	}
	first.Stop()
	same := newBoard("/dev/ttyACM0", false)
	again := run(t, r, "motors", same.kind(), struct{}{})
	select {
	case <-same.asked:
	case <-time.After(patience):
		t.Fatal("another life is not asked")
	}
	again.Stop()
	run(t, r, "motors", newBoard("/dev/ttyUSB1", true).kind(), struct{}{})
	if got := port(r.attached(t, open, "answers/motors", 2)[1]); got != `{"port":{"name":"/dev/ttyUSB1"}}` {
		t.Errorf("the port is then %s", got)
	}
	defined := r.attached(t, open, "descriptors/motors", 2)
	if len(defined) != 2 || strings.Contains(services(t, defined[0]), "ControlService") ||
		!strings.Contains(services(t, defined[1]), "ControlService") {
		t.Errorf("it is described %d times", len(defined))
	}
	one := r.end(t)
	if n := len(r.attached(t, one.GetName(), "descriptors/front", 1)); n != 1 {
		t.Errorf("the camera is described %d times", n)
	}
}

// TestPapersOfNextFile: each file of a recording has the answers.
func TestPapersOfNextFile(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Split.Time = time.Second })
	r.record(t)
	run(t, r, "motors", newBoard("/dev/ttyACM0", false).kind(), struct{}{})
	r.begin(t)
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		for _, file := range append(r.files(t, ".mcap"), r.files(t, ".mcap.part")...) {
			if strings.Contains(file, "_001.") {
				continue
			}
			f, err := read.Open(filepath.Join(r.folder, file))
			if err != nil {
				continue // it has nothing yet, or another name by now
			}
			said, _ := f.Attachment("answers/motors")
			defined, _ := f.Attachment("descriptors/motors")
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if said != nil && defined != nil {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no later file has the answers")
		}
	}
}
