package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// oldDevice is what the bus tells of a device that runs as a unit.
type oldDevice struct {
	devicev1.UnimplementedDeviceServiceServer
	now    *devicev1.Device
	safety func() (*devicev1.GetRestartSafetyResponse, error) // nil: it is of a version that does not tell
}

func (d *oldDevice) GetRestartSafety(ctx context.Context, r *devicev1.GetRestartSafetyRequest) (
	*devicev1.GetRestartSafetyResponse, error) {
	if d.safety == nil {
		return d.UnimplementedDeviceServiceServer.GetRestartSafety(ctx, r)
	}
	return d.safety()
}

func (d *oldDevice) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: d.now}, nil
}

// described is a device in a state, and why nobody could take over from it.
func described(pid int32, state devicev1.DeviceState, failed string) *devicev1.Device {
	d := &devicev1.Device{Robot: "rover", Name: "front", Pid: pid, State: state}
	if failed != "" {
		d.Attributes = map[string]string{device.UpgradeAttribute: failed}
	}
	return d
}

// unitRig is a robot that runs as units, of which only the bus is real.
type unitRig struct {
	unitUpgrader
	asked []string                // of systemctl
	does  map[string]func() error // what a verb of systemctl does
	conn  *bus.ConnCloser
	front *oldDevice
}

func newUnitRig(t *testing.T, now *devicev1.Device) *unitRig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	r := &unitRig{does: map[string]func() error{}, front: &oldDevice{now: now}}
	if r.conn, err = bus.Connect(bus.Config{URL: server.URL(), Name: "test"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.conn.Close)
	if now != nil {
		service, err := r.conn.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "rover", Device: "front"}, Kind: "camera",
			Version: "1.0.0"})
		if err != nil {
			t.Fatal(err)
		}
		if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, r.front); err != nil {
			t.Fatal(err)
		}
		if err := r.conn.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	root := t.TempDir()
	wants := filepath.Join(root, "etc/systemd/system/waldo.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"waldo-device@front.service", "waldo-gateway.service", "waldo-bus.service"} {
		if err := os.Symlink("/dev/null", filepath.Join(wants, unit)); err != nil {
			t.Fatal(err)
		}
	}
	r.unitUpgrader = unitUpgrader{&unitRobot{
		&robot.Robot{Name: "rover", Devices: []robot.Device{{Name: "front", Kind: "camera"}}},
		&units.Control{Root: root, Systemctl: func(_ context.Context, args ...string) (string, error) {
			if args[0] == "show" { // systemd already knows the process that takes over
				return "Id=waldo-device@front.service\nMainPID=2\n", nil
			}
			r.asked = append(r.asked, strings.Join(args, " "))
			if do := r.does[args[0]]; do != nil {
				return "", do()
			}
			return "", nil
		}}}, r.conn.Conn}
	return r
}

// tell announces states of the device, one after the other.
func (r *unitRig) tell(states ...*devicev1.Device) error {
	for _, d := range states {
		if err := r.conn.Publish(bus.Address{Robot: "rover", Device: "front"}.State(), d); err != nil {
			return err
		}
	}
	return nil
}

const (
	isReady = devicev1.DeviceState_DEVICE_STATE_READY
	isAway  = devicev1.DeviceState_DEVICE_STATE_AWAY
)

// TestUpgradeOfAUnit: systemd is asked to reload the unit, and the device tells on the bus what becomes of it.
func TestUpgradeOfAUnit(t *testing.T) {
	const before = "08:00:00.000 another reason"
	for name, tt := range map[string]struct {
		before *devicev1.Device
		then   []*devicev1.Device // what is announced after the reload
		says   string             // "" for a success
	}{
		"taken over": {described(1, isReady, ""), []*devicev1.Device{described(1, isReady, ""), described(2, isReady, "")},
			""},
		"taken over after a failure": {described(1, isReady, before),
			[]*devicev1.Device{described(1, isReady, before), described(2, isReady, "")}, ""},
		"goes on": {described(1, isReady, ""), []*devicev1.Device{described(1, isReady, "08:15:00.000 no such camera")},
			"no such camera"},
		"goes on again": {described(1, isReady, before),
			[]*devicev1.Device{described(1, isReady, before), described(1, isReady, "08:15:00.000 another reason")}, "08:15"},
		"not ready yet": {described(1, isReady, ""), []*devicev1.Device{described(2, isAway, ""), described(2, isReady, "")},
			""},
		"away before": {described(1, isAway, ""), []*devicev1.Device{described(2, isAway, "")}, ""},
		"silent":      {described(1, isReady, ""), nil, "journalctl -u waldo-device@front"},
		"never ready": {described(1, isReady, ""), []*devicev1.Device{described(2, isAway, "")},
			"journalctl -u waldo-device@front"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newUnitRig(t, tt.before)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r.does["reload"] = func() error {
				if strings.HasPrefix(tt.says, "journalctl") { // nothing more comes
					defer time.AfterFunc(50*time.Millisecond, cancel)
				}
				return r.tell(tt.then...)
			}
			done, err := r.upgrade(ctx, "front", false)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q, %v, want %q", done, err, tt.says)
			}
			if err == nil && done != "upgraded" {
				t.Errorf("it was %s", done)
			}
			if want := []string{"reload waldo-device@front.service"}; !slices.Equal(r.asked, want) {
				t.Errorf("systemctl %v, want %v", r.asked, want)
			}
		})
	}
}

// TestUpgradeWithoutAHandover: what cannot hand over is restarted, or refused with a remedy.
func TestUpgradeWithoutAHandover(t *testing.T) {
	refused := errors.New("systemctl reload: Access denied")
	for name, tt := range map[string]struct {
		unit  string
		force bool
		away  bool // nobody answers on the bus
		does  error
		asked string // of systemctl
		says  string // "" for a success
	}{
		"the gateway":      {unit: "gateway", asked: "restart waldo-gateway.service"},
		"by force":         {unit: "front", force: true, asked: "restart waldo-device@front.service"},
		"the bus":          {unit: "bus", says: "when nobody drives, use --force, or waldo restart bus"},
		"the bus by force": {unit: "bus", force: true, asked: "restart waldo-bus.service"},
		"nobody":           {unit: "rear", says: `no unit for "rear"; it has: bus, front, gateway`},
		"not by this user": {unit: "front", does: refused, asked: "reload waldo-device@front.service",
			says: "Access denied"},
		"a gateway that does": {unit: "gateway", does: refused, asked: "restart waldo-gateway.service",
			says: "Access denied"},
		"away from the bus": {unit: "front", away: true, says: "front"},
	} {
		t.Run(name, func(t *testing.T) {
			now := described(1, isReady, "")
			if tt.away {
				now = nil
			}
			r := newUnitRig(t, now)
			for _, verb := range []string{"reload", "restart"} {
				r.does[verb] = func() error { return tt.does }
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			done, err := r.upgrade(ctx, tt.unit, tt.force)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q, %v, want %q", done, err, tt.says)
			}
			if err == nil && done != "restarted" {
				t.Errorf("it was %s", done)
			}
			if got := strings.Join(r.asked, "; "); got != tt.asked {
				t.Errorf("systemctl %s, want %s", got, tt.asked)
			}
		})
	}
}

// TestNamesOfUnits: all but the bus are upgraded, the gateway last.
func TestNamesOfUnits(t *testing.T) {
	r := newUnitRig(t, nil)
	names, err := r.names(t.Context())
	if fmt.Sprint(names) != "[front gateway]" || err != nil {
		t.Errorf("%v, %v", names, err)
	}
}

// TestUpgradeOfTheGateway: it is left alone while somebody drives, or may drive, unless that is forced.
func TestUpgradeOfTheGateway(t *testing.T) {
	const lease, reader = devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_LEASE,
		devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_READER
	held := []*devicev1.RestartObstacle{{Kind: lease, Text: `the lease is held by "anna"`}}
	for name, tt := range map[string]struct {
		obstacles []*devicev1.RestartObstacle
		err       error
		named     string // the device that is asked for
		force     bool
		says      string // "" for a success
	}{
		"free":          {},
		"only watched":  {obstacles: []*devicev1.RestartObstacle{{Kind: reader, Text: "1 reader"}}},
		"driven":        {obstacles: held, says: `rover/gateway was not upgraded: rover/front: the lease is held by "anna"`},
		"driven, named": {obstacles: held, named: "gateway", says: "wait until nobody drives, or use --force"},
		"by force":      {obstacles: held, force: true},
		"no answer": {err: status.Error(codes.Internal, "broken"),
			says: "rover/front does not tell whether it is driven"},
		"crashed":       {err: status.Error(codes.Unavailable, "gone")},
		"does not know": {err: status.Error(codes.Unimplemented, "old")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newUnitRig(t, described(1, isReady, ""))
			r.front.safety = func() (*devicev1.GetRestartSafetyResponse, error) {
				return &devicev1.GetRestartSafetyResponse{Obstacles: tt.obstacles}, tt.err
			}
			u := &upgradeCommand{Timeout: 30 * time.Second, Force: tt.force, Device: tt.named}
			r.does["reload"] = func() error { return r.tell(described(1, isReady, ""), described(2, isReady, "")) }
			err := u.each(t.Context(), r.conn.Conn, console{out: io.Discard, err: io.Discard}, &remote{}, "rover",
				r.unitUpgrader)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
			if restarted := slices.Contains(r.asked, "restart waldo-gateway.service"); restarted != (tt.says == "") {
				t.Errorf("systemctl %v", r.asked)
			}
		})
	}
}
