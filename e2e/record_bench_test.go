package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/read"
)

const (
	recordedCameras = 4
	recordedBytes   = 2_000_000 / 8 / 30 // of a picture: 2 Mbit/s at 30 a second
	recordedStructs = 1000               // a second
)

// producer is a device that sends messages at a rate while they are held. They cost it nothing to make.
type producer struct {
	camerav1.UnimplementedCameraServiceServer
	kind string
	rate int // a second
	make func(k *device.Kit) (send func(n int64, key bool))
	want atomic.Bool // a key frame
	sent atomic.Int64
	send func(n int64, key bool)
}

func (p *producer) start(b *testing.B, nats, name string) {
	b.Helper()
	one, err := device.Start(device.Kind[struct{}]{Name: p.kind, Version: "1.0.0",
		New: func(k *device.Kit, _ struct{}) (device.Driver, error) {
			if p.kind == "camera" {
				camerav1.RegisterCameraServiceServer(k, p)
			}
			p.send = p.make(k)
			return p, nil
		}}, device.Settings{Robot: "e2e", Device: name, NATS: nats}, struct{}{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(one.Stop)
}

// Run implements [device.Driver].
func (p *producer) Run(ctx context.Context, ready func()) error {
	ready()
	p.want.Store(true)
	tick := time.NewTicker(time.Second / time.Duration(p.rate))
	defer tick.Stop()
	for n := int64(0); ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		p.send(n, p.want.Swap(false))
	}
}

// RequestKeyFrame implements the CameraService.
func (p *producer) RequestKeyFrame(context.Context,
	*camerav1.RequestKeyFrameRequest) (*camerav1.RequestKeyFrameResponse, error) {
	p.want.Store(true)
	return &camerav1.RequestKeyFrameResponse{}, nil
}

// accessUnit has the outline of a picture of H.264, and n bytes.
func accessUnit(key bool, n int) []byte {
	const parameters = "\x00\x00\x00\x01\x67\x42\xe0\x1f\x95\xa0\x14\x01\x6e\x00\x00\x00\x01\x68\xce\x3c\x80"
	head := "\x00\x00\x00\x01\x41\x9a"
	if key {
		head = parameters + "\x00\x00\x00\x01\x65\x88\x80"
	}
	return append([]byte(head), bytes.Repeat([]byte{0x55}, n-len(head))...)
}

// aCamera sends pictures of the size of 720p at 2 Mbit/s, key frames of four times the size on request.
func aCamera() *producer {
	return &producer{kind: "camera", rate: 30, make: func(k *device.Kit) func(int64, bool) {
		out := device.NewOut[*mediav1.VideoFrame](k, "video",
			device.OutOptions{KeyFrameOnRequest: true, MediaTypes: []string{media.H264}})
		pictures := map[bool][]byte{true: accessUnit(true, 4*recordedBytes), false: accessUnit(false, recordedBytes)}
		sequence := int64(-1)
		return func(_ int64, key bool) {
			sequence++
			out.Publish(&mediav1.VideoFrame{Epoch: k.Epoch(), Sequence: sequence, KeyFrame: key || sequence == 0,
				CaptureTime: timestamppb.Now(), Data: pictures[key || sequence == 0],
				Format: &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 1280, HeightPx: 720, FrameRateHz: 30}})
		}
	}}
}

// aMicrophone sends packets of Opus.
func aMicrophone() *producer {
	return &producer{kind: "audio", rate: 50, make: func(k *device.Kit) func(int64, bool) {
		out := device.NewOut[*mediav1.AudioFrame](k, "audio", device.OutOptions{})
		return func(n int64, _ bool) {
			out.Publish(&mediav1.AudioFrame{Epoch: k.Epoch(), Sequence: n, CaptureTime: timestamppb.Now(), SampleCount: 960,
				SampleIndex: 960 * n, Data: make([]byte, 160),
				Format: &mediav1.AudioFormat{MediaType: "audio/opus", SampleRateHz: 48000, Channels: 1}})
		}
	}}
}

// aBoard sends structs.
func aBoard() *producer {
	p := &producer{kind: "serial", rate: recordedStructs}
	p.make = func(k *device.Kit) func(int64, bool) {
		out := device.NewOut[*serialv1.SerialMessage](k, "rx", device.OutOptions{})
		return func(n int64, _ bool) {
			if out.Held() {
				p.sent.Add(1)
			}
			out.Publish(&serialv1.SerialMessage{Epoch: k.Epoch(), Sequence: n, ReadTime: timestamppb.Now(),
				Json: fmt.Sprintf(`{"left":%d,"right":-3,"battery":12.1}`, n)})
		}
	}
	return p
}

// recordRig is a robot of these devices, with a recorder.
type recordRig struct {
	robot  *harness.Robot
	folder string
	client recorderv1.RecorderServiceClient
	about  devicev1.DeviceServiceClient
	device harness.Device
	board  *producer
}

func startRecordRig(b *testing.B) *recordRig {
	b.Helper()
	r := &recordRig{folder: filepath.Join(b.TempDir(), "recordings"), board: aBoard()}
	r.robot = harness.StartRobot(b, harness.Options{
		Devices: fmt.Sprintf("recorder: {kind: recorder, folder: %q, keep: {free: 0}}", r.folder)})
	for n := range recordedCameras {
		aCamera().start(b, r.robot.NATS, fmt.Sprintf("camera%d", n))
	}
	aMicrophone().start(b, r.robot.NATS, "voice")
	r.board.start(b, r.robot.NATS, "motors")
	conn, err := bus.Connect(bus.Config{URL: r.robot.NATS})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	client := conn.Client(bus.Address{Robot: "e2e", Device: "recorder"})
	r.client, r.about = recorderv1.NewRecorderServiceClient(client), devicev1.NewDeviceServiceClient(client)
	r.device = r.robot.Device(b, "recorder")
	harness.Until(b, "the recorder knows all streams", func() error {
		q, err := r.client.GetRecorder(b.Context(), &recorderv1.GetRecorderRequest{})
		if err == nil && len(q.GetState().GetStreams()) < recordedCameras+2 {
			err = fmt.Errorf("streams %v", q.GetState().GetStreams())
		}
		return err
	})
	return r
}

func (r *recordRig) start(b *testing.B) {
	b.Helper()
	if _, err := r.client.StartRecording(b.Context(), &recorderv1.StartRecordingRequest{By: "bench"}); err != nil {
		b.Fatal(err)
	}
}

func (r *recordRig) stop(b *testing.B) *recorderv1.Recording {
	b.Helper()
	q, err := r.client.StopRecording(b.Context(), &recorderv1.StopRecordingRequest{})
	if err != nil {
		b.Fatal(err)
	}
	return q.GetRecording()
}

// BenchmarkRecord measures the recorder while it records four cameras of 2 Mbit/s, sound, and 1,000 structs a second:
// the processor time in percent of a core, the memory, and what is missing in the files. WALDO_RECORD_FOR=10m records
// for longer than usual.
func BenchmarkRecord(b *testing.B) {
	window := time.Duration(short(150, 20)) * time.Second
	if text := os.Getenv("WALDO_RECORD_FOR"); text != "" {
		var err error
		if window, err = time.ParseDuration(text); err != nil {
			b.Fatalf("WALDO_RECORD_FOR: %v", err)
		}
	}
	r := startRecordRig(b)
	idle := harness.CPU(b, r.device.PID)
	time.Sleep(10 * time.Second)
	b.ReportMetric((harness.CPU(b, r.device.PID)-idle).Seconds()*100/10, "idle-%")
	b.ReportMetric(harness.Resident(b, r.device.PID), "idle-MiB")
	r.start(b)
	time.Sleep(2 * time.Second)
	sent, used, woken := r.board.sent.Load(), harness.CPU(b, r.device.PID), harness.Switches(b, r.device.PID)
	began := time.Now()
	most := 0.0
	for time.Since(began) < window {
		time.Sleep(time.Second)
		most = max(most, harness.Resident(b, r.device.PID))
	}
	passed := time.Since(began).Seconds()
	b.ReportMetric((harness.CPU(b, r.device.PID)-used).Seconds()*100/passed, "cpu-%")
	b.ReportMetric((harness.Switches(b, r.device.PID)-woken)/passed, "switches/s")
	b.ReportMetric(most, "MiB")
	b.ReportMetric(float64(r.board.sent.Load()-sent)/passed, "structs/s")
	q, err := r.client.GetRecorder(b.Context(), &recorderv1.GetRecorderRequest{})
	if err != nil {
		b.Fatal(err)
	}
	one := r.stop(b)
	b.ReportMetric(float64(q.GetState().GetLostCount()), "lost")
	b.ReportMetric(float64(r.missing(b, one)), "missing")
	b.ReportMetric(float64(one.GetSizeBytes())*8/1e6/one.GetDuration().AsDuration().Seconds(), "Mbit/s")
	b.ReportMetric(0, "ns/op")
}

// missing counts the gaps in the numbers of pictures, packets and structs.
func (r *recordRig) missing(b *testing.B, one *recorderv1.Recording) (n int64) {
	b.Helper()
	last := map[string]int64{}
	for _, name := range one.GetFiles() {
		r.numbered(b, name, func(m read.Message) {
			of, at := m.Channel.Record.Topic, int64(m.Sequence)
			if before, has := last[of]; has {
				n += at - before - 1
			}
			last[of] = at
		})
	}
	if len(last) != recordedCameras+2 {
		b.Errorf("%d streams are recorded", len(last))
	}
	return n
}

// numbered calls do for the pictures, packets and structs of a file, which are numbered without gaps.
func (r *recordRig) numbered(b *testing.B, name string, do func(read.Message)) {
	b.Helper()
	path, err := folder.New(r.folder).File(name)
	if err != nil {
		b.Fatal(err)
	}
	f, err := read.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	messages := f.Messages(read.Query{Channels: func(c *read.Channel) bool {
		return slices.Contains([]string{"video", "audio", "rx"}, c.Waldo.Stream)
	}})
	err = messages.Each(b.Context(), func(m read.Message) error {
		do(m)
		return nil
	})
	if err := errors.Join(err, f.Damage(), messages.Damage()); err != nil {
		b.Fatalf("%s: %v", name, err)
	}
}
