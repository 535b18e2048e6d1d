package e2e

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/video/decode"
)

// sizes collects the heights of pictures in the order in which they come.
type sizes struct {
	mu      sync.Mutex
	heights []int32
}

func (s *sizes) see(height int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.heights); n == 0 || s.heights[n-1] != height {
		s.heights = append(s.heights, height)
	}
}

func (s *sizes) await(t *testing.T, want ...int32) {
	t.Helper()
	harness.Until(t, fmt.Sprint("pictures of ", want, " lines after one another"), func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !slices.Equal(s.heights, want) {
			return fmt.Errorf("they are %v", s.heights)
		}
		return nil
	})
}

// recorded is a source of frames that keeps what it yields.
type recorded struct {
	frames iter.Seq2[*mediav1.VideoFrame, error]
	data   []byte
}

func (r *recorded) Frames(context.Context, int) iter.Seq2[*mediav1.VideoFrame, error] {
	return func(yield func(*mediav1.VideoFrame, error) bool) {
		for f, err := range r.frames {
			r.data = append(r.data, f.GetData()...)
			if !yield(f, err) {
				return
			}
		}
	}
}

// TestPicturesChangeTheirSize limits the bit rate of a camera so that its pictures become smaller, and whole again: in
// the same stream, with a key frame. Chromium, a Firefox, aiortc, ffmpeg, and the decoder of Go programs follow.
func TestPicturesChangeTheirSize(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{
		Devices: "front: {kind: camera, source: test, width: 1280, height: 720, fps: 30}"})
	camera := robot.Device(t, "front")
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Tile(t, "front").WaitFrames(t, 30)
	firefox := harness.StartFirefox(t) // VP8
	firefox.Open(t, robot.URL)
	firefox.Until(t, shows)
	var players []*harness.Process
	for _, codec := range []string{"video/H264", "video/VP8"} {
		players = append(players, harness.Start(t, nil, python(t), "testdata/whep_aiortc.py", robot.URL+"/whep/front", "400",
			codec))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen sizes
	film := &recorded{frames: streamH264(t, ctx, camera.GRPCAddress)}
	var decoding sync.WaitGroup
	decoding.Go(func() {
		for picture, err := range decode.Frames(ctx, film, decode.Options{Waiting: 100}) {
			switch {
			case err == nil:
				seen.see(picture.GetFormat().GetHeightPx())
			case ctx.Err() == nil:
				t.Error(err)
			}
		}
	})
	seen.await(t, 720)
	harness.Until(t, "all players are there", func() error {
		if n := robot.GatewayMetric(t, "waldo_gateway_peers", ""); n < 3 {
			return fmt.Errorf("%v of 3", n)
		}
		return nil
	})

	end := keepLimited(t, camera.GRPCAddress, 400_000)
	width := `document.querySelector('[data-device="front"] video').videoWidth === `
	page.Until(t, width+"640")
	firefox.Until(t, width+"640")
	seen.await(t, 720, 360)
	end()
	page.Until(t, width+"1280")
	firefox.Until(t, width+"1280")
	seen.await(t, 720, 360, 720)
	page.Tile(t, "front").WaitFrames(t, 30)

	cancel()
	decoding.Wait()
	decodesAll(t, film.data)
	for _, player := range players {
		<-player.Done()
		got := saw[struct {
			Pictures, Flat int
			Sizes          [][2]int
		}](t, player.Output())
		slices.SortFunc(got.Sizes, func(a, b [2]int) int { return a[0] - b[0] })
		if got.Pictures != 400 || got.Flat != 0 || !slices.Equal(got.Sizes, [][2]int{{640, 360}, {1280, 720}}) {
			t.Errorf("aiortc saw %+v", got)
		}
	}
}

// keepLimited limits the usual streams of a camera until end is called.
func keepLimited(t *testing.T, address string, bps int64) (end func()) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	limit := func(ttl time.Duration) {
		for _, stream := range []string{"video", "video-vp8"} {
			if _, err := camerav1.NewCameraServiceClient(conn).LimitBitrate(context.Background(),
				&camerav1.LimitBitrateRequest{Stream: stream, Holder: t.Name(), BitrateBps: bps,
					Ttl: durationpb.New(ttl)}); err != nil {
				t.Error(err)
			}
		}
	}
	limit(10 * time.Second)
	done := make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				limit(10 * time.Second)
			case <-done:
				limit(0)
				return
			}
		}
	})
	end = sync.OnceFunc(func() {
		close(done)
		renewing.Wait()
		_ = conn.Close() // it never fails
	})
	t.Cleanup(end)
	return end
}

// decodesAll has ffmpeg decode H.264, which must not complain.
func decodesAll(t *testing.T, data []byte) {
	t.Helper()
	path := harness.WriteFile(t, "film.h264", string(data))
	out, err := exec.Command("ffmpeg", "-v", "warning", "-i", path, "-f", "null", "-").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("SKIPPED: ffmpeg (Debian: ffmpeg) is not installed; `make test` installs it")
	}
	if err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v\n%s", err, out)
	}
}
