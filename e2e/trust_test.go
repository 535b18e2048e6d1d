package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/certs"
)

// trusting returns the settings of a client that trusts an authority and nothing else.
func trusting(t *testing.T, authority string) *tls.Config {
	t.Helper()
	settings, err := certs.Client(authority)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// dialled is a connection of each kind of program.
type dialled struct {
	bus    *nats.Conn
	frames grpc.ServerStreamingClient[camerav1.StreamFramesResponse]
}

// dial connects to the bus and to the camera by TLS. Connections that break are not made again.
func dial(ctx context.Context, robot *harness.Robot, settings *tls.Config, camera string) (d dialled, err error) {
	servers := strings.Replace(robot.NATS, "nats://", "tls://", 1)
	d.bus, err = nats.Connect(servers, nats.Secure(settings), nats.NoReconnect(), nats.Timeout(harness.Patience))
	if err != nil {
		return d, fmt.Errorf("the bus: %w", err)
	}
	conn, err := grpc.NewClient(camera, grpc.WithTransportCredentials(credentials.NewTLS(settings)))
	if err != nil {
		return d, err
	}
	context.AfterFunc(ctx, func() { d.bus.Close(); _ = conn.Close() })
	d.frames, err = camerav1.NewCameraServiceClient(conn).StreamFrames(ctx, &camerav1.StreamFramesRequest{})
	if err != nil {
		return d, err
	}
	if _, err = d.frames.Recv(); err != nil {
		return d, fmt.Errorf("the camera: %w", err)
	}
	return d, nil
}

// TestRenewalWhileConnected: a robot gets another authority, and with it another certificate. Who is connected does not
// notice: page, bus and gRPC go on with the connections they have. Who comes afterwards gets the new one.
func TestRenewalWhileConnected(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Name: "rover", TLS: "auto", Devices: cameraAlone})
	camera := robot.Device(t, "front").GRPCAddress
	old := robot.Authority(t)
	secured := strings.Replace(robot.URL, "http://", "https://", 1) + "/"
	page := harness.StartBrowser(t, harness.Trusting(t, old)).Open(t, secured)
	tile := page.Tile(t, "front")
	tile.WaitFrames(t, 10)
	media := page.Connection(t)
	harness.Eval[any](t, page, "window.links = []")
	harness.Eval[any](t, page, "waldo.robot.addEventListener('state', () => links.push(waldo.robot.state))")
	before, err := dial(t.Context(), robot, trusting(t, old), camera)
	if err != nil {
		t.Fatal(err)
	}

	robot.Trust(t, "--new")
	renewed := robot.Authority(t)
	settings := trusting(t, renewed)
	harness.Until(t, "the page has a certificate of the new authority", func() error {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(robot.URL, "http://"), settings)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	harness.Until(t, "bus and camera have it too", func() error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := dial(ctx, robot, settings, camera)
		return err
	})
	if _, err := tls.Dial("tcp", strings.TrimPrefix(robot.URL, "http://"), trusting(t, old)); err == nil {
		t.Error("who trusts the old authority is satisfied")
	}

	tile.WaitFrames(t, 30)
	if now := page.Connection(t); !now.Same(media) {
		t.Error("the page has connected anew")
	}
	if states := harness.Eval[[]string](t, page, "links"); len(states) > 0 {
		t.Errorf("the link of the page was %q", states)
	}
	if err := before.bus.FlushTimeout(harness.Patience); err != nil || before.bus.Stats().Reconnects > 0 {
		t.Errorf("the old connection to the bus: %v", err)
	}
	for range 30 {
		if _, err := before.frames.Recv(); err != nil {
			t.Fatalf("the old stream of the camera: %v", err)
		}
	}
}

// TestForeignProgramsTrust has clients that know nothing of Waldo trust the robot's authority: grpc-js, nats.js,
// grpcio, nats-py, and aiortc behind Python's own HTTP client.
func TestForeignProgramsTrust(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Name: "rover", TLS: "auto", Devices: cameraAlone})
	camera, ca := robot.Device(t, "front").GRPCAddress, robot.Authority(t)
	bus := strings.Replace(robot.NATS, "nats://", "tls://", 1)
	page := strings.Replace(robot.URL, "http://", "https://", 1)
	other := harness.StartRobot(t, harness.Options{TLS: "auto", Devices: cameraAlone}).Authority(t)
	for _, command := range [][]string{{"node", "readers/trust.mjs"}, {python(t), "readers/trust.py"}} {
		arguments := slices.Concat(command[1:], []string{ca, camera, bus})
		if out := harness.Run(t, nil, command[0], arguments...); !strings.Contains(out, "front is on the bus") {
			t.Errorf("%s prints %s", command, out)
		}
		arguments[1] = other
		fail(t, command[0], arguments...)
	}
	seen := saw[struct{ Pictures, Flat int }](t, harness.Run(t, []string{"SSL_CERT_FILE=" + ca}, python(t),
		"testdata/whep_aiortc.py", page+"/whep/front", "30"))
	if seen.Pictures != 30 || seen.Flat != 0 {
		t.Errorf("aiortc saw %+v, want 30 pictures, none of them blank", seen)
	}
	refused := fail(t, python(t), "testdata/whep_aiortc.py", page+"/whep/front", "30")
	if !strings.Contains(refused, "CERTIFICATE_VERIFY_FAILED") {
		t.Errorf("without the authority aiortc's program prints %s", refused)
	}
	printed := robot.Trust(t)
	for _, want := range []string{page + "/ (this machine only)\n", bus + " (this machine only)\n"} {
		if !strings.Contains(printed, want) {
			t.Errorf("waldo trust does not print %q:\n%s", want, printed)
		}
	}
}
