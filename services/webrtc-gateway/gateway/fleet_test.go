package gateway_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/gateway"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// newFleet starts a gateway of a fleet on a bus of its own.
func newFleet(t *testing.T, change func(*config.Config)) *world {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := testConfig(server.URL())
	c.Fleet = true
	if change != nil {
		change(c)
	}
	page := fstest.MapFS{"index.html": {Data: []byte("<p>robot")}, "fleet.html": {Data: []byte("<p>fleet")},
		"waldo.js": {Data: []byte("export {}")}, "recordings.html": {Data: []byte("<p>recordings")}}
	g, err := gateway.Start(c, "test", page, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return &world{t: t, bus: server, gateway: g, base: g.URL()}
}

// newFleetFor starts a gateway of a fleet for those who have a token in a file.
func newFleetFor(t *testing.T, file string) *world {
	t.Helper()
	return newFleet(t, func(c *config.Config) {
		loaded, err := config.Load([]string{"--fleet", "--http", "127.0.0.1:0", "--ice", "127.0.0.1:0", "--nats", c.NATS,
			"--access-file", file}, func(string) string { return "" }, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		*c = *loaded
	})
}

// fleetRobot is a robot of a fleet with a camera `front`.
type fleetRobot struct {
	conn      *bus.ConnCloser
	announcer *presence.Announcer
	camera    *fakecam.Camera
}

// robot starts one, which stops when the test ends, if not before.
func (w *world) robot(name string, drive *signalingv1.Drive) *fleetRobot {
	w.t.Helper()
	r := w.joining(name, drive)
	w.eventually(name+" is listed", func() bool { s := w.listed(name); return s != nil && !s.GetAway() })
	return r
}

// joining starts a robot that is not listed yet.
func (w *world) joining(name string, drive *signalingv1.Drive) *fleetRobot {
	w.t.Helper()
	r := &fleetRobot{}
	var err error
	if r.conn, err = bus.Connect(bus.Config{URL: w.bus.URL(), Name: name}); err != nil {
		w.t.Fatal(err)
	}
	r.announcer, err = presence.Announce(r.conn.Conn, presence.AnnouncerConfig{Robot: name, Version: "1.0.0", Drive: drive,
		Expected: []*devicev1.Device{{Name: "front", Kind: "camera"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.camera, err = fakecam.Start(w.bus.URL(), bus.Address{Robot: name, Device: "front"},
		fakecam.Config{FrameBytes: 3000}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.stop)
	return r
}

// stop takes the robot off the bus without a word, as a broken link does.
func (r *fleetRobot) stop() {
	r.conn.Close()
	r.announcer.Close()
	r.camera.Stop()
}

// listed returns a robot of the list, nil for none.
func (w *world) listed(name string) *fleetv1.RobotStatus {
	w.t.Helper()
	list := &fleetv1.RobotList{}
	if err := protojson.Unmarshal([]byte(w.get("robots")), list); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range list.GetRobots() {
		if s.GetState().GetRobot() == name {
			return s
		}
	}
	return nil
}

// code returns the status code and the text of an answer.
func (w *world) code(method, path string, headers ...string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.base+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var text strings.Builder
	_, _ = bufio.NewReader(answer.Body).WriteTo(&text)
	return answer.StatusCode, text.String()
}

func TestFleet(t *testing.T) {
	w := newFleet(t, nil)
	rover, arm := w.robot("rover", &signalingv1.Drive{Device: "motors"}), w.robot("arm", nil)
	for path, want := range map[string]string{
		"": "<p>fleet", "r/rover/": "<p>robot", "r/rover": "<p>robot", "r/rover/waldo.js": "export", "waldo.js": "export",
		"r/rover/snapshot/front.jpg": "\xff\xd8", "healthz": "ok", "r/arm/healthz": "ok",
		"r/arm/devices": `"front"`, "r/rover/recordings": "<p>recordings",
	} {
		if code, text := w.code(http.MethodGet, path); code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.200q", path, code, text)
		}
	}
	for name, r := range map[string]*fleetRobot{"rover": rover, "arm": arm} {
		peer, err := watcher.New(1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = peer.Close() })
		ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
		defer cancel()
		if err := peer.WHEP(ctx, w.base+"r/"+name+"/", "front"); err != nil {
			t.Fatal(err)
		}
		s := stream{t: t, peer: peer}
		s.frames(10)
		if n := r.camera.Holders(); n != 1 {
			t.Errorf("the camera of %s has %d holders", name, n)
		}
	}
	metrics := w.get("metrics")
	for _, line := range []string{`waldo_gateway_sessions`, `robot="rover"`, `robot="arm"`, "waldo_gateway_peers 2",
		"waldo_gateway_robots_served 2"} {
		if line != "waldo_gateway_sessions" && !strings.Contains(metrics, line) {
			t.Errorf("metrics have no %s", line)
		}
	}
	if code, text := w.code(http.MethodGet, "r/nobody/"); code != http.StatusNotFound ||
		!strings.Contains(text, "nobody") {
		t.Errorf("a robot that does not exist: %d %s", code, text)
	}
}

// TestRobotAway: who asks is told whether the robot is away or a device is, what was open goes on when the robot is
// back, and who comes meanwhile is told to come again.
func TestRobotAway(t *testing.T) {
	w := newFleet(t, nil)
	rover := w.robot("rover", nil)
	peer, err := watcher.New(1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	if err := peer.WHEP(ctx, w.base+"r/rover/", "front"); err != nil {
		t.Fatal(err)
	}
	s := stream{t: t, peer: peer}
	s.frames(10)
	if code, text := w.code(http.MethodGet, "r/rover/snapshot/rear.jpg"); code != http.StatusNotFound ||
		!strings.Contains(text, `no device "rear"`) {
		t.Errorf("a device that does not exist: %d %s", code, text)
	}
	rover.camera.Stop()
	w.eventually("the device is away", func() bool {
		code, text := w.code(http.MethodGet, "r/rover/snapshot/front.jpg")
		return code == http.StatusServiceUnavailable && strings.Contains(text, "device rover/front is not running")
	})
	rover.stop()
	w.eventually("the robot is away", func() bool {
		code, text := w.code(http.MethodGet, "r/rover/snapshot/front.jpg")
		return code == http.StatusServiceUnavailable && strings.Contains(text, "robot rover is away: it is not connected")
	})
	if status := w.listed("rover"); !status.GetAway() || status.GetReason() == "" {
		t.Errorf("it is listed as %v", status)
	}
	if code, text := w.code(http.MethodGet, "r/rover/"); code != http.StatusOK || !strings.Contains(text, "<p>robot") {
		t.Errorf("its page is gone: %d %s", code, text)
	}
	for path, want := range map[string]int{"r/rover/recordings": http.StatusOK,
		"r/rover/recordings/file/recorder/a.mcap": http.StatusServiceUnavailable} {
		if code, text := w.code(http.MethodGet, path); code != want ||
			code != 200 && !strings.Contains(text, "rover is away") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	w.eventually("pages are told", func() bool { return strings.Contains(w.get("r/rover/devices"), "rover is away") })
	for begin := time.Now(); peer.Waiting() > 0 && time.Since(begin) < watcher.Timeout; {
		s.next() // what was on its way
	}
	back := w.robot("rover", nil)
	for !isKeyStart(s.next()) {
	}
	for !s.last.Marker {
		s.next()
	}
	s.frames(10)
	if n := back.camera.Holders(); n != 1 {
		t.Errorf("it is held by %d", n)
	}
	if strings.Contains(w.get("r/rover/devices"), "is away") {
		w.eventually("pages are told that it is back", func() bool {
			return !strings.Contains(w.get("r/rover/devices"), "is away")
		})
	}
}

// TestNobodyServed: a robot that is away gets no instance, and who opens its page sees why.
func TestNobodyServed(t *testing.T) {
	w := newFleet(t, nil)
	rover := w.robot("rover", nil)
	rover.announcer.Close()
	w.eventually("it is away", func() bool { return w.listed("rover").GetAway() })
	code, text := w.code(http.MethodGet, "r/rover/", "Accept", "text/html")
	if code != http.StatusServiceUnavailable || !strings.Contains(text, "switched off") ||
		!strings.Contains(text, `http-equiv="refresh"`) {
		t.Errorf("its page: %d %s", code, text)
	}
	if code, text := w.code(http.MethodGet, "r/rover/waldo.js"); code != http.StatusOK {
		t.Errorf("a module: %d %s", code, text)
	}
	if !strings.Contains(w.get("metrics"), "waldo_gateway_robots_served 0") {
		t.Error("it is served")
	}
}

// TestFollow: the list comes at once, and then what changes.
func TestFollow(t *testing.T) {
	w := newFleet(t, nil)
	w.robot("rover", nil)
	r, err := http.Get(w.base + "robots/changes")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	events := bufio.NewScanner(r.Body)
	next := func() *fleetv1.RobotList {
		for events.Scan() {
			if data, ok := strings.CutPrefix(events.Text(), "data: "); ok {
				list := &fleetv1.RobotList{}
				if err := protojson.Unmarshal([]byte(data), list); err != nil {
					t.Fatal(err)
				}
				return list
			}
		}
		t.Fatal("the events ended: ", events.Err())
		return nil
	}
	if list := next().GetRobots(); len(list) != 1 || list[0].GetState().GetRobot() != "rover" {
		t.Fatalf("first: %v", list)
	}
	w.robot("arm", nil)
	for {
		list := next().GetRobots()
		if len(list) == 1 && list[0].GetState().GetRobot() == "arm" {
			return
		}
		for _, s := range list {
			if s.GetState().GetRobot() != "rover" && s.GetState().GetRobot() != "arm" {
				t.Fatalf("then: %v", list)
			}
		}
	}
}

// TestFleetToken: nothing is told, and nothing started, before it is clear who asks; one who has shown the token to the
// list need not show it to each robot.
func TestFleetToken(t *testing.T) {
	const token = "sixteen-or-more!"
	w := newFleet(t, func(c *config.Config) { c.Gateway.Token = token })
	conn, err := bus.Connect(bus.Config{URL: w.bus.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	a, err := presence.Announce(conn.Conn, presence.AnnouncerConfig{Robot: "rover", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for path, want := range map[string]int{
		"": 401, "robots": 401, "robots/changes": 401, "metrics": 401, "r/rover/": 401, "r/rover/devices": 401,
		"r/nobody/": 401, "healthz": 200, "waldo.js": 200, "r/rover/waldo.js": 200, "r/nobody/waldo.js": 200,
	} {
		if code, text := w.code(http.MethodGet, path); code != want {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	bearer := []string{"Authorization", "Bearer " + token}
	w.eventually("the robot is served", func() bool {
		code, _ := w.code(http.MethodGet, "r/rover/devices", bearer...)
		return code == http.StatusOK
	})
	for _, path := range []string{"r/rover/", "r/rover/devices", "r/rover/metrics"} { // now that it is served
		if code, _ := w.code(http.MethodGet, path); code != http.StatusUnauthorized {
			t.Errorf("%s: %d without the token", path, code)
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequest(http.MethodGet, w.base+"?token="+token, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if len(answer.Cookies()) != 1 {
		t.Fatalf("signed in: %s %v", answer.Status, answer.Header)
	}
	cookie := answer.Cookies()[0]
	for _, path := range []string{"", "robots", "r/rover/", "r/rover/devices"} {
		code, text := w.code(http.MethodGet, path, "Cookie", cookie.Name+"="+cookie.Value)
		if code != http.StatusOK {
			t.Errorf("%s with the session: %d %s", path, code, text)
		}
	}
}

// TestFleetOfOneRobot: a token for one robot tells of that robot only, until it is revoked.
func TestFleetOfOneRobot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.json")
	token, _, err := tokens.Create(file, tokens.Request{Name: "anna", Role: roles.Viewer, Robot: "rover"})
	if err != nil {
		t.Fatal(err)
	}
	bearer := []string{"Authorization", "Bearer " + token}
	w := newFleetFor(t, file)
	for _, name := range []string{"rover", "arm"} {
		conn, err := bus.Connect(bus.Config{URL: w.bus.URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		a, err := presence.Announce(conn.Conn, presence.AnnouncerConfig{Robot: name, Version: "1.0.0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
	}
	w.eventually("her robot is served", func() bool {
		code, _ := w.code(http.MethodGet, "r/rover/devices", bearer...)
		return code == http.StatusOK
	})
	for path, want := range map[string]int{"robots": 200, "": 200, "r/arm/": 404, "r/arm/devices": 404, "metrics": 403,
		"r/rover/metrics": 200} {
		if code, text := w.code(http.MethodGet, path, bearer...); code != want || strings.Contains(text, `"arm"`) &&
			path == "robots" {
			t.Errorf("%s: %d %.200s", path, code, text)
		}
	}
	r, err := http.NewRequest(http.MethodGet, w.base+"robots/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(bearer[0], bearer[1])
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := tokens.Revoke(file, "anna"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(answer.Body); err != nil || strings.Contains(string(text), `"arm"`) {
		t.Errorf("until it was revoked: %v %s", err, text) // and it has ended
	}
	if code, _ := w.code(http.MethodGet, "robots", bearer...); code != http.StatusUnauthorized {
		t.Errorf("afterwards: %d", code)
	}
}

// TestHubRemedy: a gateway that the hub refuses, or does not trust, is told what to write where.
func TestHubRemedy(t *testing.T) {
	seed, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]hub.Member{"rover": {Key: other.Public()}}
	cert, key := certstest.NewAuthority(t).Issue([]string{"127.0.0.1"})
	for name, tt := range map[string]struct {
		tls    hub.Certificate
		robots map[string]hub.Member
		want   string
	}{
		"no key at all": {hub.Certificate{}, nil, "its hub.yaml needs `gateways: {main: {key: " + seed.Public() + "}}`"},
		"unknown key":   {hub.Certificate{}, known, "its hub.yaml needs `gateways: {main: {key: " + seed.Public() + "}}`"},
		"not trusted":   {hub.Certificate{Cert: cert, Key: key}, known, "of its authority with --ca"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := hub.Start(&hub.Config{Hub: "here", Listen: "127.0.0.1:0", Leaf: "127.0.0.1:0", TLS: tt.tls,
				Robots: tt.robots})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(h.Close)
			c := testConfig(h.URL())
			c.Fleet, c.BusSeed = true, seed
			var log logtest.Text
			g, err := gateway.Start(c, "test", fstest.MapFS{"fleet.html": {}}, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(g.Close)
			for limit := time.Now().Add(20 * time.Second); !strings.Contains(log.String(),
				tt.want); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(limit) {
					t.Fatalf("%q is not in:\n%s", tt.want, log.String())
				}
			}
		})
	}
}
