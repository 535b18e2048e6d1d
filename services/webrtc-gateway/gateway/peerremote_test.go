package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/pkg/peer"
	rendezvous "github.com/waldo-robot/waldo/rendezvous/server"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

const secret = "the robot's own token"

// far is a robot behind a rendezvous server.
type far struct {
	*world
	link   string // to the robot, without its key
	key    string // the fingerprint of its key
	known  string // a file of known robots
	close  func() // ends the server
	leaked atomic.Bool
}

func newFar(t *testing.T) *far {
	t.Helper()
	return newFarWith(t, nil)
}

// newFarWith starts one whose configuration is changed, unless change is nil.
func newFarWith(t *testing.T, change func(*config.Config)) *far {
	t.Helper()
	return newFarAt(t, rendezvous.Config{}, change)
}

// newFarAt starts one with a rendezvous server of a certain configuration.
func newFarAt(t *testing.T, at rendezvous.Config, change func(*config.Config)) *far {
	t.Helper()
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	at.Token = "of the server"
	server, err := rendezvous.New(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	f := &far{known: filepath.Join(t.TempDir(), "deep", "known")}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(fmt.Sprint(r.URL, r.Header), secret) {
			f.leaked.Store(true)
		}
		server.Handler().ServeHTTP(w, r)
	}))
	f.close = func() {
		site.CloseClientConnections()
		site.Close()
		server.Close()
	}
	t.Cleanup(f.close)
	nats, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	c := testConfig(nats.URL())
	c.Gateway.Token = secret
	c.Gateway.Rendezvous = config.Rendezvous{URL: site.URL, Token: "of the server"}
	if change != nil {
		change(c)
	}
	f.world = startWithoutBus(t, c)
	f.bus = nats
	f.link = site.URL + "/r/demo/"
	path, err := identity.Path("demo", os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	f.key = key.Fingerprint()
	f.eventually("the robot is connected",
		func() bool { return strings.Contains(f.get("healthz"), `"rendezvous":"connected"`) })
	return f
}

// reach connects a peer through the server.
func (f *far) reach(link string, o peer.Options) (context.Context, *peer.Robot, error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), watcher.Timeout)
	f.t.Cleanup(cancel)
	o.Known, o.Log = f.known, testLog(f.t)
	robot, err := peer.Dial(ctx, link, o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(robot.Close)
	return ctx, robot, robot.Wait(ctx)
}

// TestPeerByWayOfARendezvousServer: everything works as without, the server never sees the token, and what is connected
// does not need it any more.
func TestPeerByWayOfARendezvousServer(t *testing.T) {
	f := newFar(t)
	cam, err := fakecam.Start(f.bus.URL(), bus.Address{Robot: "demo", Device: "front"}, fakecam.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Stop)
	f.startMotors()
	ctx, robot, err := f.reach(f.link+"#key="+f.key, peer.Options{Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	frames, stop := pull(robot.Camera("front").Frames(ctx, 8))
	defer stop()
	d := decodable{t: t}
	use := func() {
		t.Helper()
		for range 10 {
			frame, err := frames()
			if err != nil {
				t.Fatal(err)
			}
			d.see(frame)
		}
		r, err := devicev1.NewDeviceServiceClient(robot.Device("motors")).GetDevice(ctx, &devicev1.GetDeviceRequest{})
		if err != nil || r.GetDevice().GetName() != "motors" {
			t.Fatal(r, err)
		}
		l, err := lease.Acquire(ctx, robot.Device("motors"), "test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Header(ctx); err != nil {
			t.Error(err)
		}
		l.Close()
	}
	use()
	if _, again, err := f.reach(f.link, peer.Options{Token: secret}); err != nil {
		t.Errorf("known by now: %v", err)
	} else {
		again.Close()
	}
	f.close()
	use()
	if s := robot.State(); s.State != peer.Live {
		t.Errorf("without the server: %s", s)
	}
	if f.leaked.Load() {
		t.Error("the server has seen the robot's token")
	}
}

// TestPeerOfAnotherRobot: nobody is trusted who is not known, or has another key, and who does not know the token is
// not let in.
func TestPeerOfAnotherRobot(t *testing.T) {
	f := newFar(t)
	other, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, link, token, want string }{
		{"unknown", f.link, secret, f.key},
		{"another key", f.link + "#key=" + other.Fingerprint(), secret, "another robot"},
		{"no token", f.link + "#key=" + f.key, "", "token"},
		{"a wrong token", f.link + "#key=" + f.key, "another token of that length", "token"},
	} {
		_, robot, err := f.reach(tt.link, peer.Options{Token: tt.token})
		if err == nil || robot.State().State != peer.Refused || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		robot.Close()
		if _, err := os.Stat(f.known); err == nil {
			t.Errorf("%s: the robot is remembered", tt.name)
		}
	}
	if f.leaked.Load() {
		t.Error("the server has seen the robot's token")
	}
}
