package rtsp

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

func mustParse(t testing.TB, raw string) address.Address {
	t.Helper()
	a, err := address.Parse(raw, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// controls pairs what a camera says of its URLs with the ones that are asked, for rtsp://cam:8554/live?a=b.
var controls = []struct{ base, control, want string }{
	{"rtsp://cam:8554/live/", "trackID=1", "rtsp://cam:8554/live/trackID=1 rtsp://cam:8554/live?a=b/trackID=1"},
	{"rtsp://cam:8554/live/", "/trackID=1",
		"rtsp://cam:8554/live/trackID=1 rtsp://cam:8554/live?a=b/trackID=1 rtsp://cam:8554/trackID=1"},
	{"rtsp://cam:8554/live", "trackID=1",
		"rtsp://cam:8554/live/trackID=1 rtsp://cam:8554/live?a=b/trackID=1 rtsp://cam:8554/trackID=1"},
	{"", "trackID=1", "rtsp://cam:8554/live?a=b/trackID=1 rtsp://cam:8554/trackID=1"},
	{"", "", "rtsp://cam:8554/live?a=b"},
	{"", "*", "rtsp://cam:8554/live?a=b"},
	{"rtsp://cam:8554/other/", "*", "rtsp://cam:8554/other/ rtsp://cam:8554/live?a=b"},
	{"", "rtsp://10.0.0.9/live/video", "rtsp://cam:8554/live/video"},
	{"", "rtsp://bob:hunter2@cam/live/video?x=1", "rtsp://cam:8554/live/video?x=1"},
	{"", "rtsp://:::/x", "rtsp://cam:8554/live?a=b"},
	{"rtsp://10.0.0.9/other/", "x", "rtsp://cam:8554/live?a=b/x rtsp://cam:8554/x"},
	{"rtsp://rtsp://cam/other", "x", "rtsp://cam:8554/other/x rtsp://cam:8554/live?a=b/x rtsp://cam:8554/x"},
	{"cam/other", "*", "rtsp://cam:8554/live?a=b"},
	{"rtsp://::ffff:1.2.3.4/x", "*", "rtsp://cam:8554/live?a=b"},
	{"*", "*", "rtsp://cam:8554/live?a=b"},
	{"0.0.0.0", "*", "rtsp://cam:8554/live?a=b"},
	{"rtsp://cam/", "two words", "rtsp://cam:8554/two%20words rtsp://cam:8554/live?a=b/two%20words"},
}

func TestControls(t *testing.T) {
	asked := mustParse(t, "rtsp://cam:8554/live?a=b")
	for _, tt := range controls {
		b := base(asked, fields{{"content-base", tt.base}})
		if got := strings.Join(targets(asked, b, tt.control), " "); got != tt.want {
			t.Errorf("%q %q:\n got %s\nwant %s", tt.base, tt.control, got, tt.want)
		}
	}
}

func FuzzControl(f *testing.F) {
	for _, tt := range controls {
		f.Add(tt.base, tt.control)
	}
	asked := mustParse(f, "rtsp://cam:8554/live?a=b")
	f.Fuzz(func(t *testing.T, contentBase, control string) {
		urls := targets(asked, base(asked, fields{{"Content-Base", contentBase}}), control)
		if len(urls) == 0 {
			t.Fatal("there is nothing to ask")
		}
		for _, u := range urls {
			if !strings.HasPrefix(u, "rtsp://cam:8554") || strings.ContainsAny(u, " \r\n") {
				t.Fatalf("%q is asked", u)
			}
		}
	})
}

var transports = []struct{ field, want string }{
	{"RTP/AVP/TCP;unicast;interleaved=0-1", "{true [0 1] [] }"},
	{"rtp/avp/tcp; unicast; Interleaved = 4-5 ;ssrc=12", "{true [4 5] [] }"},
	{"RTP/AVP;unicast;interleaved=2-3", "{true [2 3] [] }"},
	{"RTP/AVP/TCP;interleaved=0", "{true [0 1] [] }"},
	{"RTP/AVP/TCP;interleaved=255", "{true [255 255] [] }"},
	{"RTP/AVP/TCP;interleaved=300-301", "{true [] [] }"},
	{"RTP/AVP/TCP;interleaved=x", "{true [] [] }"},
	{"RTP/AVP/UDP;unicast;client_port=1-2;server_port=5000-5001;source=10.0.0.7", "{false [] [5000 5001] 10.0.0.7}"},
	{"RTP/AVP;server_port=5000", "{false [] [5000 5001] }"},
	{"RTP/AVP;server_port=0-1", "{false [] [] }"},
	{`RTP/AVP/TCP;interleaved="0-1",RTP/AVP;server_port=5000`, "{true [0 1] [] }"},
	{"", "{false [] [] }"},
	{";;==;", "{false [] [] }"},
}

func TestTransports(t *testing.T) {
	for _, tt := range transports {
		if got := fmt.Sprint(parseTransport(tt.field)); got != tt.want {
			t.Errorf("%q is %s, want %s", tt.field, got, tt.want)
		}
	}
}

func FuzzTransport(f *testing.F) {
	for _, tt := range transports {
		f.Add(tt.field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		a := parseTransport(field)
		if n := len(a.channels); n != 0 && n != 2 {
			t.Fatalf("%d channels", n)
		}
		if n := len(a.ports); n != 0 && (n != 2 || a.ports[0] < 1 || a.ports[1] > 65535) {
			t.Fatalf("ports %d", a.ports)
		}
	})
}

var sessionFields = []struct {
	field, id string
	timeout   time.Duration
}{
	{"12345678", "12345678", time.Minute},
	{"12345678;timeout=30", "12345678", 30 * time.Second},
	{" 12345678 ; Timeout = 30s", "12345678", 30 * time.Second},
	{"12345678;timeout=", "12345678", time.Minute},
	{"12345678;timeout=0", "12345678", time.Minute},
	{"12345678;timeout=-5", "12345678", time.Minute},
	{"12345678;timeout=99999999999", "12345678", time.Minute},
	{"12345678;x=y;timeout=5;z", "12345678", 5 * time.Second},
	{"", "", time.Minute},
	{";timeout=5", "", 5 * time.Second},
	{strings.Repeat("x", maxID+1), "", time.Minute},
}

func TestSessionFields(t *testing.T) {
	for _, tt := range sessionFields {
		if id, timeout := parseSession(tt.field); id != tt.id || timeout != tt.timeout {
			t.Errorf("%q is %q, %s", tt.field, id, timeout)
		}
	}
}

func FuzzSession(f *testing.F) {
	for _, tt := range sessionFields {
		f.Add(tt.field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if id, timeout := parseSession(field); timeout < time.Second || timeout > 24*time.Hour || len(id) > maxID {
			t.Fatalf("%q, %s", id, timeout)
		}
	})
}

func TestPlace(t *testing.T) {
	directory := t.TempDir()
	a := mustParse(t, "rtsp://bob:hunter2@cam/x?password=hunter2")
	p := newPlace(directory, ofStream, a)
	if id := p.old(time.Now()); id != "" {
		t.Errorf("there is %q", id)
	}
	p.hold("12345678", time.Minute)
	data, err := os.ReadFile(p.file)
	if err != nil || strings.Contains(string(data)+p.file, "hunter2") ||
		strings.Contains(string(data)+filepath.Base(p.file), "cam") {
		t.Errorf("%s: %s, %v", p.file, data, err)
	}
	now := time.Now()
	for _, tt := range []struct {
		name string
		p    place
		now  time.Time
		want string
	}{
		{"held", p, now, "12345678"},
		{"nearly expired", p, now.Add(time.Minute), "12345678"},
		{"expired", p, now.Add(2 * time.Minute), ""},
		{"another stream", newPlace(directory, ofStream, mustParse(t, "rtsp://cam/y")), now, ""},
		{"the back channel", newPlace(directory, ofVoice, a), now, ""},
		{"no directory", newPlace("", ofStream, a), now, ""},
		{"missing directory", newPlace(filepath.Join(directory, "missing"), ofStream, a), now, ""},
	} {
		if got := tt.p.old(tt.now); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	p.touch(now.Add(time.Hour))
	if id := p.old(now.Add(time.Hour + time.Minute)); id != "12345678" {
		t.Errorf("after a keepalive there is %q", id)
	}
	if p.free(); p.old(now) != "" {
		t.Error("it is still there")
	}
	newPlace(filepath.Join(directory, "missing"), ofStream, a).hold("1", time.Minute) // does no harm
}

func FuzzPlace(f *testing.F) {
	for _, data := range []string{
		`{"session":"12345678","timeout_seconds":60}`, `{"session":"a\r\nb","timeout_seconds":60}`, `{"timeout_seconds":-1}`,
		"", "{", "null",
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := place{filepath.Join(t.TempDir(), "session.json")}
		if err := os.WriteFile(p.file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if id := p.old(time.Now()); strings.ContainsAny(id, "\r\n ;") {
			t.Fatalf("%q is adopted", id)
		}
	})
}
