package ingest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	ptzv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ptz/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// role is the environment variable that makes the test program one of the programs that a test kills.
const role = "WALDO_TEST_ROLE"

func init() {
	switch os.Getenv(role) {
	case "device":
		device.Main(Kind())
	case "driver":
		fmt.Fprintln(os.Stderr, drive(context.Background(), os.Getenv("WALDO_NATS")))
		os.Exit(1)
	}
}

// drive turns the camera until something ends it.
func drive(ctx context.Context, nats string) error {
	conn, err := bus.Connect(bus.Config{URL: nats})
	if err != nil {
		return err
	}
	defer conn.Close()
	way := conn.Client(bus.Address{Robot: "r", Device: "d"})
	l, err := lease.Acquire(ctx, way, "ann")
	if err != nil {
		return err
	}
	defer l.Close()
	for r := (&ptzv1.MoveRequest{}); ; r.Pan = 1 {
		if r.Control, err = l.Header(ctx); err != nil {
			return err
		}
		answer, err := ptzv1.NewPtzServiceClient(way).Move(ctx, r)
		l.Heard(answer.GetReport(), err)
		if v := lease.Report(err).GetVerdict(); err != nil && v != controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED {
			return err
		}
		time.Sleep(50 * time.Millisecond) // as a driver's rate
	}
}

// process is a child that a test kills.
type process struct {
	*exec.Cmd
	said bytes.Buffer
}

func (p *process) kill() {
	_ = p.Process.Kill() // fails if it has ended
	_ = p.Wait()         // it was killed
}

// scene is a fake camera, and a bus on which its device and a driver are run.
type scene struct {
	nats, state string
	camera      *fakecam.ONVIFCamera
}

func newScene(t *testing.T) *scene {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &scene{server.URL(), t.TempDir(), fakecam.StartONVIF(t, fakecam.ONVIFConfig{
		Login: fakecam.Login{User: "bob", Password: "hunter2"}, PTZ: fakecam.PTZBehaviour{IgnoreTimeout: true}})}
}

// run runs the test program in a role.
func (w *scene) run(t *testing.T, as string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), role+"="+as, "WALDO_NATS="+w.nats, "WALDO_PASSWORD=hunter2", "WALDO_USER=bob",
		"XDG_STATE_HOME="+w.state)
	p.Stdout, p.Stderr = &p.said, &p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s: %s", as, p.said.String())
		}
	})
	return p
}

func (w *scene) device(t *testing.T) *process {
	t.Helper()
	return w.run(t, "device", "--robot", "r", "--device", "d", "--url", "rtsp://127.0.0.1:1/x", "--ptz",
		`{onvif: "`+w.camera.URL()+`"}`)
}

// moves runs drivers until one moves the camera: the device has to be ready first.
func (w *scene) moves(t *testing.T) *process {
	t.Helper()
	n := w.camera.Count(fakecam.Moved)
	for begin := time.Now(); time.Since(begin) < time.Minute; {
		p := w.run(t, "driver")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := w.camera.Await(ctx, fakecam.Moved, n+1)
		cancel()
		if err == nil {
			return p
		}
		p.kill()
	}
	t.Fatalf("it does not move: %s", w.camera)
	return nil
}

// TestDriverIsKilled: as when the gateway is. The deadman stops the camera, within the time that the device says.
func TestDriverIsKilled(t *testing.T) {
	w := newScene(t)
	w.device(t)
	driver := w.moves(t)
	stood := w.camera.Count(fakecam.Stood)
	killed := time.Now()
	driver.kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.camera.Await(ctx, fakecam.Stood, stood+1); err != nil {
		t.Fatal(err)
	}
	all := w.camera.Motions()
	for len(all) > 0 && all[len(all)-1].Time.After(killed) && all[len(all)-1].Pan == 0 {
		all = all[:len(all)-1] // back to the movement
	}
	stop := w.camera.Motions()[len(all)]
	took := stop.Time.Sub(killed)
	// The deadman counts from the last command; the rest is the way to the camera, and this machine may be busy.
	if took > control.DefaultDeadman+2*time.Second || w.camera.Moves() {
		t.Errorf("it stood after %v: %+v", took, w.camera.Motions())
	}
	t.Logf("stopped %v after the driver was killed", took)
	conn, err := bus.Connect(bus.Config{URL: w.nats})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := ptzv1.NewPtzServiceClient(conn.Client(bus.Address{Robot: "r", Device: "d"}))
	r, err := client.GetPtz(ctx, &ptzv1.GetPtzRequest{})
	if p := r.GetPtz(); err != nil || !p.GetIsReady() || !p.GetCanPanTilt() || !p.GetReportsMotion() ||
		p.GetStopsWithin().AsDuration() < control.DefaultDeadman {
		t.Errorf("%v, %v", p, err)
	}
}

// TestDeviceIsKilled while it moves the camera: the next life stops it before anything else.
func TestDeviceIsKilled(t *testing.T) {
	w := newScene(t)
	device := w.device(t)
	driver := w.moves(t)
	device.kill()
	driver.kill()
	if !w.camera.Moves() {
		t.Fatal("the camera stopped by itself: nothing can be seen")
	}
	moved, stood := w.camera.Count(fakecam.Moved), w.camera.Count(fakecam.Stood)
	begin := time.Now()
	w.device(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.camera.Await(ctx, fakecam.Stood, stood+1); err != nil {
		t.Fatal(err)
	}
	if w.camera.Moves() || w.camera.Count(fakecam.Moved) != moved {
		t.Errorf("%+v", w.camera.Motions())
	}
	t.Logf("stopped %v after the process was started again", time.Since(begin))
}

func TestBadPTZ(t *testing.T) {
	for onvif, want := range map[string]string{
		"rtsp://10.0.0.7": "ptz.onvif", "http://bob:hunter2@10.0.0.7": "leave user", "http://": "ptz.onvif",
	} {
		c := Defaults()
		c.URL, c.PTZ = "rtsp://10.0.0.7/x", &PTZ{ONVIF: onvif}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", onvif, err)
		}
	}
	c := Defaults()
	c.URL, c.PTZ = "rtsp://bob:hunter2@10.0.0.7:8554/x", &PTZ{}
	at, err := c.onvif("ptz.onvif", "")
	if c.Validate() != nil || err != nil || at.HostPort() != "10.0.0.7:80" || at.User != "bob" {
		t.Errorf("%v, %v", at, err)
	}
	c.PTZ.Deadman = time.Hour
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "ptz.deadman") {
		t.Errorf("%v", err)
	}
}
