package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	now *devicev1.Device
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
}

func newUnitRig(t *testing.T, now *devicev1.Device) *unitRig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	r := &unitRig{does: map[string]func() error{}}
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
		if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, &oldDevice{now: now}); err != nil {
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
		"taken over": {described(1, isReady, ""), []*devicev1.Device{described(1, isReady, ""), described(2, isReady, "")}, ""},
		"taken over after a failure": {described(1, isReady, before),
			[]*devicev1.Device{described(1, isReady, before), described(2, isReady, "")}, ""},
		"goes on": {described(1, isReady, ""), []*devicev1.Device{described(1, isReady, "08:15:00.000 no such camera")},
			"no such camera"},
		"goes on again": {described(1, isReady, before),
			[]*devicev1.Device{described(1, isReady, before), described(1, isReady, "08:15:00.000 another reason")}, "08:15"},
		"not ready yet": {described(1, isReady, ""), []*devicev1.Device{described(2, isAway, ""), described(2, isReady, "")}, ""},
		"away before":   {described(1, isAway, ""), []*devicev1.Device{described(2, isAway, "")}, ""},
		"silent":        {described(1, isReady, ""), nil, "journalctl -u waldo-device@front"},
		"never ready":   {described(1, isReady, ""), []*devicev1.Device{described(2, isAway, "")}, "journalctl -u waldo-device@front"},
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
		"the gateway":         {unit: "gateway", asked: "restart waldo-gateway.service"},
		"by force":            {unit: "front", force: true, asked: "restart waldo-device@front.service"},
		"the bus":             {unit: "bus", says: "when nobody drives, use --force, or waldo restart bus"},
		"the bus by force":    {unit: "bus", force: true, asked: "restart waldo-bus.service"},
		"nobody":              {unit: "rear", says: `no unit for "rear"; it has: bus, front, gateway`},
		"not by this user":    {unit: "front", does: refused, asked: "reload waldo-device@front.service", says: "Access denied"},
		"a gateway that does": {unit: "gateway", does: refused, asked: "restart waldo-gateway.service", says: "Access denied"},
		"away from the bus":   {unit: "front", away: true, says: "front"},
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
