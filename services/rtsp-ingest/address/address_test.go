package address_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// urls pairs what people write with what it means. They feed the fuzz test too.
var urls = []struct{ raw, user, password, dial, sent, shown string }{
	{"rtsp://10.0.0.7/stream1", "", "", "10.0.0.7:554", "rtsp://10.0.0.7/stream1", "rtsp://10.0.0.7/stream1"},
	{"  RTSP://cam \n", "", "", "cam:554", "rtsp://cam", "rtsp://cam"},
	{"rtsps://cam/x", "", "", "cam:322", "rtsps://cam/x", "rtsps://cam/x"},
	{"rtmp://cam/live/a", "", "", "cam:1935", "rtmp://cam/live/a", "rtmp://cam/live/***"},
	{"rtmps://cam/live", "", "", "cam:443", "rtmps://cam/live", "rtmps://cam/live"},
	{"http://cam:8080/v.mjpg", "", "", "cam:8080", "http://cam:8080/v.mjpg", "http://cam:8080/v.mjpg"},
	{"https://cam", "", "", "cam:443", "https://cam", "https://cam"},
	{"insta360://192.168.42.1", "", "", "192.168.42.1:6666", "insta360://192.168.42.1", "insta360://192.168.42.1"},
	{"rtsp://cam:554/x", "", "", "cam:554", "rtsp://cam/x", "rtsp://cam/x"},
	{"rtsp://bob:hunter2@cam/x", "bob", "hunter2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob@cam/x", "bob", "", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:hun@ter2@cam/x", "bob", "hun@ter2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:hunter#2@cam/x", "bob", "hunter#2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:hunter?2@cam/x", "bob", "hunter?2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:hunter/2@cam/x", "bob", "hunter/2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:hunter%2@cam/x", "bob", "hunter%2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:%hunter2@cam/x", "bob", "%hunter2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:hunter%23@cam/x", "bob", "hunter#", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:hun ter:2@cam/x", "bob", "hun ter:2", "cam:554", "rtsp://cam/x", "rtsp://***@cam/x"},
	{"rtsp://bob:паролЬ@cam/двор", "bob", "паролЬ", "cam:554", "rtsp://cam/%D0%B4%D0%B2%D0%BE%D1%80",
		"rtsp://***@cam/%D0%B4%D0%B2%D0%BE%D1%80"},
	{"rtsp://bob:a/b?c#d@e@10.0.0.7:8554/x", "bob", "a/b?c#d@e", "10.0.0.7:8554", "rtsp://10.0.0.7:8554/x",
		"rtsp://***@10.0.0.7:8554/x"},
	{"rtsp://bob:hunter2@10.0.0.7/x?mail=a@b.c", "bob", "hunter2", "10.0.0.7:554", "rtsp://10.0.0.7/x?mail=a@b.c",
		"rtsp://***@10.0.0.7/x?mail=a@b.c"},
	{"rtsp://cam/x@y", "", "", "cam:554", "rtsp://cam/x@y", "rtsp://cam/x@y"},
	{"rtsp://cam/a b#c%zz", "", "", "cam:554", "rtsp://cam/a%20b%23c%25zz", "rtsp://cam/a%20b%23c%25zz"},
	{"rtsp://cam/a%20b", "", "", "cam:554", "rtsp://cam/a%20b", "rtsp://cam/a%20b"},
	{"rtsp://cam?channel=1", "", "", "cam:554", "rtsp://cam/?channel=1", "rtsp://cam/?channel=1"},
	{
		"rtsp://cam/user=bob_password=hunter2_channel=1_stream=0.sdp?real_stream", "", "", "cam:554",
		"rtsp://cam/user=bob_password=hunter2_channel=1_stream=0.sdp?real_stream", "rtsp://cam/user=bob_password=***",
	},
	{"rtsp://cam/x?user=bob&pwd=hunter2&n=1", "", "", "cam:554", "rtsp://cam/x?user=bob&pwd=hunter2&n=1",
		"rtsp://cam/x?user=bob&pwd=***&n=1"},
	{"http://cam/x?loginpas=1&PASSWORD=hunter2", "", "", "cam:80", "http://cam/x?loginpas=1&PASSWORD=hunter2",
		"http://cam/x?loginpas=1&PASSWORD=***"},
	{"rtsp://[::1]:8554/x", "", "", "[::1]:8554", "rtsp://[::1]:8554/x", "rtsp://[::1]:8554/x"},
	{"rtsp://[fe80::1%eth0]/x", "", "", "[fe80::1%eth0]:554", "rtsp://[fe80::1]/x", "rtsp://[fe80::1]/x"},
	{"rtsp://bob:hunter2@[fe80::1%25eth0]:8554/x", "bob", "hunter2", "[fe80::1%eth0]:8554", "rtsp://[fe80::1]:8554/x",
		"rtsp://***@[fe80::1]:8554/x"},
	{"rtsp://fe80::1/x", "", "", "[fe80::1]:554", "rtsp://[fe80::1]/x", "rtsp://[fe80::1]/x"},
}

func TestParse(t *testing.T) {
	for _, tt := range urls {
		a, err := address.Parse(tt.raw, "", "")
		if err != nil {
			t.Errorf("%s: %v", tt.raw, err)
			continue
		}
		got := []string{a.User, string(a.Password), a.HostPort(), a.URL(), a.String()}
		want := []string{tt.user, tt.password, tt.dial, tt.sent, tt.shown}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.raw, got, want)
		}
	}
}

// wrong pairs URLs that cannot be right with what the error says.
var wrong = []struct{ raw, user, password, key, says string }{
	{"", "", "", "url", "missing"},
	{"cam/hunter2", "", "", "url", "scheme is missing"},
	{"ftp://bob:hunter2@cam", "", "", "url", "use rtsp, rtsps"},
	{"rtsp://", "", "", "url", "host is missing"},
	{"rtsp:///hunter2", "", "", "url", "host is missing"},
	{"rtsp://cam:0/x", "", "", "url", "1 to 65535"},
	{"rtsp://cam:70000/hunter2", "", "", "url", "the port is not a number from 1 to 65535"},
	{"rtsp://bob:hunter2@10.0.0.7:99999/stream1", "", "", "url", "the port 99999 is out of range: use 1 to 65535"},
	{"rtsps://bob:hunter2@cam:0", "", "", "url", "the port 0 is out of range: use 1 to 65535, or leave it out for 322"},
	{"rtsp://10.0.0.7:70000", "", "", "url", "the port 70000 is out of range"},
	{"rtsp://[::1]:70000/x", "", "", "url", "the port 70000 is out of range"},
	{"rtsp://bob:hunter2@10.0.0.7:abc/", "", "", "url", "not a number from 1 to 65535"},
	{"rtsp://10.0.0.7:hunter2/", "", "", "url", "not a number from 1 to 65535"},
	{"rtsp://10.0.0.7:80:80/", "", "", "url", "not a number from 1 to 65535"},
	{"rtsp://[::1]hunter2/", "", "", "url", "not a number from 1 to 65535"},
	{"rtsp://bob:hunter2", "", "", "url", "is not a port: use 1 to 65535"},
	{"rtsp://hun_ter2+:80", "", "", "url", "write rtsp://10.0.0.7:554/stream1, IPv6"},
	{"rtsp://bob:hunter2@", "", "", "url", "host is missing"},
	{"rtsp://[::1/hunter2", "", "", "url", "no host"},
	{"rtsp://[cam]/hunter2", "", "", "url", "no host"},
	{"rtsp://hun ter2/x", "", "", "url", "no host"},
	{"rtsp://cam/hunter2\nx", "", "", "url", "control character"},
	{"rtsp://bob:12/hunter2@10.0.0.7/x", "", "", "url", "where the password ends"},
	{"rtsp://bob:hun@ter2/x@10.0.0.7/x", "", "", "url", "where the password ends"},
	{"rtsp://cam/" + strings.Repeat("hunter2", 400), "", "", "url", "too many"},
	{"rtsp://bob:hunter2@cam", "eve", "", "user", "leave one"},
	{"rtsp://bob:hunter2@cam", "", "hunter2", "password", "leave one"},
	{"rtsp://cam", "", strings.Repeat("hunter2", 40), "password", "shorten"},
	{"rtsp://cam", "", "hunter2\r\nX: y", "password", "control character"},
}

func TestWrong(t *testing.T) {
	for _, tt := range wrong {
		_, err := address.Parse(tt.raw, tt.user, address.Secret(tt.password))
		e, ok := errors.AsType[*feed.Error](err)
		if !ok || e.Reason != feed.Misspelled || e.Key != tt.key || !strings.Contains(e.Text, tt.says) ||
			strings.Contains(e.Text, "hunter2") || !strings.HasPrefix(e.Text, tt.key+": ") {
			t.Errorf("%s: %v", tt.raw, err)
		}
		if shown := access.RedactText(fmt.Sprint(err)); shown != fmt.Sprint(err) {
			t.Errorf("%s: the remedy is hidden: %s", tt.raw, shown)
		}
	}
}

func TestKeysBesideTheURLAreTakenAsTheyAre(t *testing.T) {
	a, err := address.Parse("rtsp://cam/x", "bo%62", "h@u#n?t/e%32r2")
	if err != nil || a.User != "bo%62" || string(a.Password) != "h@u#n?t/e%32r2" {
		t.Errorf("%q %q %v", a.User, string(a.Password), err)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	a, err := address.Parse("rtsp://bob:hunter2@cam/x?password=hunter2", "", "")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", a, "password", a.Password, "in",
		struct{ P address.Secret }{a.Password})
	text, err := json.Marshal(map[string]any{"p": a.Password})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", a, a, a, a, a.Password, a.Password, &a.Password,
		struct{ A address.Address }{a})
	for _, s := range []string{shown, log.String(), string(text)} {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e") || !strings.Contains(s, "***") {
			t.Error(s)
		}
	}
}

func TestStreamKeysAreNotPrinted(t *testing.T) {
	for raw, want := range map[string]string{
		"rtmp://a.example/live2/hunter2":               "rtmp://a.example/live2/***",
		"rtmps://a.example/live2/x/hunter2?a=hunter2":  "rtmps://a.example/live2/***",
		"rtmp://a.example/live2?hunter2":               "rtmp://a.example/live2?***",
		"rtmp://bob:hunter2@a.example//hunter2":        "rtmp://***@a.example//***",
		"rtmp://a.example/live2/":                      "rtmp://a.example/live2/",
		"rtmp://a.example/live2":                       "rtmp://a.example/live2",
		"rtmp://a.example":                             "rtmp://a.example",
		"rtsp://a.example/live2/1":                     "rtsp://a.example/live2/1",
		"rtmp://a.example?token=hunter2&other=hunter2": "rtmp://a.example/?***",
	} {
		a, err := address.Parse(raw, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := a.String(); got != want {
			t.Errorf("%s prints as %s, want %s", raw, got, want)
		}
	}
}

func TestRedirect(t *testing.T) {
	from, err := address.Parse("rtsps://bob:hunter2@cam/x", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		location, to string
		credentials  bool
	}{
		{"rtsps://cam:8322/y", "rtsps://cam:8322/y", true},
		{"rtsps://CAM/y", "rtsps://CAM/y", true},
		{"/y?z=1", "rtsps://cam/y?z=1", true},
		{"rtsps://other/y", "rtsps://other/y", false},
		{"rtsps://eve:x@other/y", "rtsps://other/y", false},
		{"rtsp://cam/y", "rtsp://cam/y", false}, // in the clear
		{"http://cam/y", "", false},
		{"y", "rtsps://cam/y", true},
		{"?z=1", "rtsps://cam/x?z=1", true},
		{"mailto:x", "rtsps://cam/mailto:x", true},
		{"", "", false},
	} {
		to, err := from.Redirect(tt.location)
		if tt.to == "" {
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v, %v", tt.location, to, err)
			}
			continue
		}
		if err != nil || to.URL() != tt.to || (to.Password != "") != tt.credentials || to.User != "" != tt.credentials {
			t.Errorf("%q leads to %v, %v", tt.location, to.URL(), err)
		}
	}
	local, err := address.Parse("rtsp://[fe80::1%eth0]/x", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if to, err := local.Redirect("/y"); err != nil || to.HostPort() != "[fe80::1%eth0]:554" {
		t.Errorf("the zone is lost: %s, %v", to.HostPort(), err)
	}
}

func TestWithCredentials(t *testing.T) {
	a, err := address.Parse("rtmp://bob:h@nter2@cam/live/a%2Fb?c=d", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := a.WithCredentials().String(); got != "rtmp://bob:h%40nter2@cam:1935/live/a%2Fb?c=d" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range urls {
		f.Add(tt.raw)
	}
	for _, tt := range wrong {
		f.Add(tt.raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := address.Parse(raw, "", "")
		if err != nil {
			if shown := access.RedactText(err.Error()); shown != err.Error() {
				t.Fatalf("%q: the remedy is hidden: %s", raw, shown)
			}
			return
		}
		if a.Host == "" || a.Port == 0 || strings.ContainsAny(a.URL(), " \r\n#\"") {
			t.Fatalf("%q became %q", raw, a.URL())
		}
		if len(a.Password) > 3 && !strings.Contains(a.URL(), string(a.Password)) &&
			strings.Contains(a.String(), string(a.Password)) {
			t.Fatalf("%q is shown as %q", raw, a)
		}
		if _, err := url.Parse(a.URL()); err != nil {
			t.Fatalf("%q became %q: %v", raw, a.URL(), err)
		}
		again, err := address.Parse(a.URL(), a.User, a.Password)
		if err != nil || again.URL() != a.URL() {
			t.Fatalf("%q became %q, and that %q: %v", raw, a.URL(), again.URL(), err)
		}
	})
}

func ExampleParse() {
	a, err := address.Parse("rtsp://admin:p#ss/word@10.0.0.7/stream 1", "", "")
	fmt.Println(a, a.URL(), err)
	// Output: rtsp://***@10.0.0.7/stream%201 rtsp://10.0.0.7/stream%201 <nil>
}
