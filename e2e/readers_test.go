package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/inflight"
)

const (
	// old is an age that no reader should see while it reads, however busy the machine is. An unbounded stream would
	// reach it: 40 readings of 0.2 s take 8 s.
	old = 2500 * time.Millisecond
	// frozen is how long a reader pauses, and maxOld how many messages it may have been sent before the pause was
	// noticed.
	frozen, maxOld = 6 * time.Second, 20
)

// readerArguments turns this program into a reader in its own process: address, stream, and how long it takes for each
// message.
const readerArguments = "WALDO_E2E_READER"

func TestMain(m *testing.M) {
	if arguments := strings.Fields(os.Getenv(readerArguments)); len(arguments) == 3 {
		fmt.Println(readStream(arguments[0], arguments[1], arguments[2]))
		os.Exit(1)
	}
	state, err := os.MkdirTemp("", "waldo-state-") // of all programs that a test gives none of their own
	if err == nil {
		err = os.Setenv("XDG_STATE_HOME", state)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	for _, folder := range []string{npmFolder, state} {
		if err := os.RemoveAll(folder); err != nil { // does nothing if there is none
			fmt.Println(err)
		}
	}
	os.Exit(code)
}

// readStream reads a stream as a Go program does, and prints the age of each message and how many were lost.
func readStream(address, stream, each string) error {
	pause, err := strconv.ParseFloat(each, 64)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStreamInterceptor(inflight.Acknowledging(1)))
	if err != nil {
		return err
	}
	next, err := openStream(conn, stream)
	for err == nil {
		var at *timestamppb.Timestamp
		var dropped int64
		if at, dropped, err = next(); err == nil {
			fmt.Printf("%.3f %d\n", time.Since(at.AsTime()).Seconds(), dropped)
			time.Sleep(time.Duration(pause * float64(time.Second)))
		}
	}
	return err
}

// openStream returns a function that reads the next message and returns its time, and how many were lost so far.
func openStream(conn *grpc.ClientConn, stream string) (next func() (*timestamppb.Timestamp, int64, error), err error) {
	ctx := context.Background()
	switch stream {
	case "serial":
		call, err := serialv1.NewSerialServiceClient(conn).StreamMessages(ctx, &serialv1.StreamMessagesRequest{})
		return func() (*timestamppb.Timestamp, int64, error) {
			r, err := call.Recv()
			return r.GetMessage().GetReadTime(), r.GetDroppedCount(), err
		}, err
	case "audio":
		call, err := audiov1.NewAudioServiceClient(conn).StreamAudio(ctx, &audiov1.StreamAudioRequest{})
		return func() (*timestamppb.Timestamp, int64, error) {
			r, err := call.Recv()
			return r.GetFrame().GetCaptureTime(), r.GetDroppedCount(), err
		}, err
	}
	format := &mediav1.VideoFormat{MediaType: map[string]string{"jpeg": "image/jpeg", "h264": "video/H264"}[stream]}
	call, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: format})
	return func() (*timestamppb.Timestamp, int64, error) {
		r, err := call.Recv()
		return r.GetFrame().GetCaptureTime(), r.GetDroppedCount(), err
	}, err
}

// reading is one message as a reader saw it.
type reading struct {
	age     time.Duration
	dropped int64
}

// readings returns what a reader has printed so far.
func readings(t *testing.T, p *harness.Process) (all []reading) {
	t.Helper()
	lines := strings.Split(p.Output(), "\n")
	for _, line := range lines[:len(lines)-1] {
		var age float64
		var r reading
		if _, err := fmt.Sscanf(line, "%f %d", &age, &r.dropped); err != nil {
			t.Fatalf("the reader says %q", line)
		}
		r.age = time.Duration(age * float64(time.Second))
		all = append(all, r)
	}
	return all
}

// await waits until a reader has read so many messages, and returns them.
func await(t *testing.T, p *harness.Process, n int) (all []reading) {
	t.Helper()
	harness.Until(t, fmt.Sprintf("%d messages are read", n), func() error {
		if all = readings(t, p); len(all) < n {
			return fmt.Errorf("%d are", len(all))
		}
		return nil
	})
	return all
}

// worst returns the greatest age, how many are old, and how many were lost.
func worst(all []reading) (age time.Duration, tooOld int, dropped int64) {
	for _, r := range all {
		age = max(age, r.age)
		if r.age > old {
			tooOld++
		}
		dropped = r.dropped
	}
	return age, tooOld, dropped
}

// TestNobodyReadsOldData runs readers in three languages that read too slowly, and that pause for a while.
func TestNobodyReadsOldData(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{
		Devices: `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}
		motors: {kind: serial, port: sim, read: "<IhhiihHB", startByte: 0x5A, checksum: crc8}
		voice: {kind: audio, source: tone}`,
	})
	devices := map[string]string{"jpeg": "front", "h264": "front", "serial": "motors", "connect": "motors",
		"audio": "voice"}
	languages := map[string]func(t *testing.T, arguments ...string) *harness.Process{
		"python": func(t *testing.T, arguments ...string) *harness.Process {
			return harness.Start(t, nil, python(t),
				append([]string{"readers/reader.py"}, arguments...)...)
		},
		"node": func(t *testing.T, arguments ...string) *harness.Process {
			return harness.Start(t, nil, "node", append([]string{"readers/reader.mjs"}, arguments...)...)
		},
		"go": func(t *testing.T, arguments ...string) *harness.Process {
			return harness.Start(t, []string{readerArguments + "=" + strings.Join(arguments, " ")}, os.Args[0])
		},
	}
	for stream, device := range devices {
		address := robot.Device(t, device).GRPCAddress
		t.Run(stream, func(t *testing.T) { // one stream after the other, and all its readers at once, each a process
			for language, start := range languages {
				if stream == "connect" && language != "python" {
					continue
				}
				t.Run(language+"/slow", func(t *testing.T) {
					t.Parallel()
					readSlowly(t, start(t, address, stream, "0.2"))
				})
				t.Run(language+"/stops", func(t *testing.T) {
					t.Parallel()
					pauseReading(t, start(t, address, stream, "0"))
				})
			}
		})
	}
}

// readSlowly looks at a reader that takes 0.2 s for each message.
func readSlowly(t *testing.T, p *harness.Process) {
	t.Helper()
	age, _, dropped := worst(await(t, p, 40))
	t.Logf("at most %v old, %d lost", age, dropped)
	if age > old || dropped == 0 {
		t.Errorf("a reader of 5 a second got messages %v old, with %d reported lost", age, dropped)
	}
}

// pauseReading stops a reader that keeps up, and looks at what it gets afterwards.
func pauseReading(t *testing.T, p *harness.Process) {
	t.Helper()
	await(t, p, 30)
	resume := harness.Freeze(t, p.PID())
	before := len(readings(t, p))
	time.Sleep(frozen)
	resume()
	after := await(t, p, before+maxOld+30)[before:]
	_, tooOld, dropped := worst(after)
	t.Logf("%d old ones, then %v old, %d lost", tooOld, after[len(after)-1].age, dropped)
	if last := after[len(after)-1]; tooOld > maxOld || last.age > old || dropped == 0 {
		t.Errorf("a reader that paused for %v got %d old messages, was then %v behind, with %d reported lost",
			frozen, tooOld, last.age, dropped)
	}
}
