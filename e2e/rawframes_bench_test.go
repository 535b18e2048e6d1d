package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/source"
)

// BenchmarkProgramsRawFrames has one Python program read raw BGR pictures by the package, from messages and from
// shared memory. The yardsticks are grpcio alone, which does not look into messages: as a client of the same camera
// (plain), and as a client of a server of grpcio that sends as many bytes (bare). The camera's pictures cost nothing,
// so what is measured is the way to the program. The ways take turns.
//
// First each is as fast as it can be, then there are 30 pictures a second, of which none may be lost.
func BenchmarkProgramsRawFrames(b *testing.B) {
	const window, rounds = 4 * time.Second, 3
	for _, tt := range []struct {
		name          string
		width, height int32
		rate          float64
	}{
		{"720p", 1280, 720, 0}, {"720p30", 1280, 720, 30}, {"1080p30", 1920, 1080, 30},
	} {
		b.Run(tt.name, func(b *testing.B) {
			format := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: tt.width,
				HeightPx: tt.height, FrameRateHz: tt.rate}
			size := strconv.Itoa(media.FrameSize(format))
			front := freeCamera(b, format)
			yardstick := rawServer(b, size, strconv.FormatFloat(tt.rate, 'g', -1, 64))
			sum := map[string]rawReading{}
			for range rounds {
				for _, how := range []string{"bare", "plain", "package", "shared"} {
					address := front
					if how == "bare" {
						address = yardstick
					}
					sum[how] = sum[how].plus(readRaw(b, how, address, window, size))
				}
			}
			for how, r := range sum {
				b.ReportMetric(r.FPS/rounds, how+"-fps")
				b.ReportMetric(r.CPU/rounds, how+"-cpu-ms/picture")
				b.ReportMetric(float64(r.Lost), how+"-lost")
			}
			b.ReportMetric(sum["package"].FPS/sum["plain"].FPS, "package/plain")
			b.ReportMetric(sum["package"].FPS/sum["bare"].FPS, "package/bare")
			b.ReportMetric(sum["shared"].FPS/sum["package"].FPS, "shared/package")
			b.ReportMetric(sum["package"].CPU/sum["shared"].CPU, "cpu-package/shared")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// rawReading is what testdata/raw_reader.py prints.
type rawReading struct {
	FPS  float64 `json:"fps"`
	CPU  float64 `json:"cpu_ms"`
	Lost int     `json:"lost"`
}

func (r rawReading) plus(o rawReading) rawReading {
	return rawReading{FPS: r.FPS + o.FPS, CPU: r.CPU + o.CPU, Lost: r.Lost + o.Lost}
}

func readRaw(b *testing.B, how, address string, window time.Duration, size string) (r rawReading) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), window+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python(b), "testdata/raw_reader.py", how, address,
		strconv.FormatFloat(window.Seconds(), 'g', -1, 64), size)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		b.Fatalf("%s: %v", how, err)
	}
	return r
}

// rawServer starts the yardstick, and returns its address.
func rawServer(b *testing.B, size, rate string) string {
	b.Helper()
	cmd := exec.Command(python(b), "testdata/raw_server.py", size, rate)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have failed
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}

// freeCamera runs a camera whose pictures cost nothing: all are the same, and as the hardware gives them. It returns
// its address.
func freeCamera(b *testing.B, format *mediav1.VideoFormat) string {
	b.Helper()
	kind := device.Kind[struct{}]{Name: "camera", Version: version.Version,
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			return camera.New(kit, camera.Config{}, func(context.Context) (source.Source, error) {
				return &freePictures{format, make([]byte, media.FrameSize(format))}, nil
			}), nil
		}}
	bus := harness.FreeAddress(b)
	harness.StartBus(b, bus)
	p, err := device.Start(kind, device.Settings{Robot: "bench", Device: "front", NATS: "nats://" + bus}, struct{}{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Stop)
	return p.GRPCAddress()
}

// freePictures is a source of one picture.
type freePictures struct {
	format  *mediav1.VideoFormat
	picture []byte
}

func (f *freePictures) Info() source.Info {
	return source.Info{Native: []*mediav1.VideoFormat{f.format}, Current: f.format,
		Attributes: map[string]string{"driver": "free"}}
}

func (f *freePictures) Capture(ctx context.Context, deliver func(source.Frame)) error {
	rate := f.format.GetFrameRateHz()
	if rate == 0 {
		rate = 4000 // faster than any reader
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		deliver(source.Frame{Format: f.format, Time: time.Now(), Data: f.picture, Key: true})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *freePictures) Close() error { return nil }
