package discover

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bob = fakecam.Login{User: "bob", Password: "hunter2"}

// run runs the command, and returns what it prints.
func run(t *testing.T, environ map[string]string, args ...string) (out, notes string) {
	t.Helper()
	var o, n bytes.Buffer
	if err := Run(t.Context(), args, func(k string) string { return environ[k] }, &o, &n); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(o.String()+n.String(), "hunter2") {
		t.Errorf("the password is shown: %s%s", o.String(), n.String())
	}
	return o.String(), n.String()
}

var password = map[string]string{"WALDO_PASSWORD": "hunter2"}

func TestTable(t *testing.T) {
	open := fakecam.StartONVIF(t, fakecam.ONVIFConfig{RTSP: "10.0.0.9:554", Stream: "/live?password=hunter2&n=1"})
	locked := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Login: bob})
	out, notes := run(t, nil, open.Address(), locked.URL())
	lines := strings.Split(out, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "ADDRESS") {
		t.Fatalf("%s", out)
	}
	for i, want := range []string{
		"ADDRESS MAKER MODEL STREAM CODEC SIZE URL",
		"127.0.0.1 Fake F-1? Main H264 1280x720 rtsp://127.0.0.1/live?password=***&n=1",
		"127.0.0.1 Fake F-1? Sub H264 640x360 rtsp://127.0.0.1/sub",
		"127.0.0.1 - - - - - -",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("line %d: %s", i, got)
		}
	}
	if !strings.Contains(notes, "1 of 2") || !strings.Contains(notes, "--user") ||
		!strings.Contains(notes, "WALDO_PASSWORD") {
		t.Errorf("notes: %s", notes)
	}
}

func TestJSON(t *testing.T) {
	camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Login: bob, Media2: true})
	gone := fakecam.StartONVIF(t, fakecam.ONVIFConfig{})
	gone.Close()
	out, _ := run(t, password, "--json", "--user", "bob", camera.Address(), gone.Address())
	var cameras []Camera
	if err := json.Unmarshal([]byte(out), &cameras); err != nil || len(cameras) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	c := cameras[0]
	if c.Maker != "Fake" || !c.Moves || c.NeedsLogin || c.Problem != "" || len(c.Streams) != 2 {
		t.Fatalf("%+v", c)
	}
	if s := c.Streams[0]; s.Codec != "H265" || s.FPS != 25 || s.Width != 1280 || s.Height != 720 ||
		s.URL != "rtsp://"+camera.Address()+"/live?channel=1&stream=0" ||
		!strings.HasSuffix(s.Snapshot, "/picture?n=1&size=2") {
		t.Errorf("%+v", s)
	}
	if c := cameras[1]; c.Problem == "" || c.Streams == nil {
		t.Errorf("%+v", c)
	}
}

func TestWrongPassword(t *testing.T) {
	camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Login: bob})
	_, notes := run(t, map[string]string{"WALDO_PASSWORD": "hunter3", "WALDO_USER": "bob"}, camera.Address())
	if !strings.Contains(notes, "check both") || strings.Contains(notes, "hunter3") {
		t.Errorf("%s", notes)
	}
}

// TestSearch finds a camera that nobody named.
func TestSearch(t *testing.T) {
	camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Discovery: &fakecam.Discovery{}})
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	o := options{search: onvif.Search{Wait: 500 * time.Millisecond, Interfaces: []net.Interface{*lo},
		Port: camera.DiscoveryPort()}}
	for {
		cameras, err := o.find(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(cameras) == 0 {
			continue // the machine was too busy to answer in time
		}
		if c := cameras[0]; c.Name != "Fake F-1" || c.Location != "hall" || len(c.Streams) != 2 {
			t.Errorf("%+v", c)
		}
		return
	}
}

func TestNobody(t *testing.T) {
	var notes strings.Builder
	if err := (options{}).remark(&notes, nil); err != nil || !strings.Contains(notes.String(), "ONVIF") {
		t.Errorf("%q, %v", notes.String(), err)
	}
}

func TestMistakes(t *testing.T) {
	many := strings.Split(strings.Repeat("10.0.0.7 ", maxHosts+1), " ")
	for want, args := range map[string][]string{
		"--wait": {"--wait", "1h"}, "too many": many, "10.0.0.7:8000": {"http://"}, "http://": {"rtsp://10.0.0.7"},
		"--user": {"http://bob:hunter2@10.0.0.7"},
	} {
		var out bytes.Buffer
		err := Run(context.Background(), args, func(string) string { return "" }, &out, &out)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.3q: %v", args, err)
		}
	}
	if err := Run(context.Background(), nil, func(k string) string { return password[k] }, nil, nil); err == nil ||
		!strings.Contains(err.Error(), "--user") {
		t.Errorf("a password without a user: %v", err)
	}
}
