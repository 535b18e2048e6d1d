package access_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

// busURLs pairs what may be configured with what may be shown of it. It feeds the fuzz tests too.
var busURLs = []struct {
	text, shown string
	good        bool
}{
	{"nats://127.0.0.1:4222", "nats://127.0.0.1:4222", true},
	{"nats://robot", "nats://robot", true},
	{"nats://robot:4222/", "nats://robot:4222", true},
	{"tls://[::1]:4222", "tls://[::1]:4222", true},
	{"wss://robot:443/bus", "wss://robot:443", true},
	{"nats://a:1, nats://b:2", "nats://a:1,nats://b:2", true},
	{"nats://hunter2@robot:4222", "nats://***@robot:4222", true},
	{"nats://bob:hunter2@robot:4222", "nats://***@robot:4222", true},
	{"nats://bob:hunter2%2Fx@robot:4222", "nats://***@robot:4222", true},
	{"nats://bob:hunter2@x@robot:4222", "nats://***@robot:4222", true}, // Go takes the last @
	{"nats://bob:hunter2@a:1,nats://b:2", "nats://***@a:1,nats://b:2", true},
	{"nats://bob:hunter2/x@robot:4222", "***", false},
	{"nats://bob:12/hunter2@robot:4222", "***", false},
	{"nats://bob:hunter2#x@robot:4222", "***", false},
	{"nats://hunter2#x@robot:4222", "***", false},
	{"nats://robot:4222#", "***", false},
	{"nats://bob:hunter2?x@robot:4222", "***", false},
	{"nats://hunter2?x@robot", "***", false},
	{"nats://hunter2?", "***", false},
	{"nats://bob:hunter2%x@robot:4222", "***", false},
	{"nats://bob:hunter2 x@robot:4222", "***", false},
	{"nats://bob:hunter2,x@robot:4222", "***", false},
	{"nats://bob:hunter2", "***", false},
	{"nats://bob:hunter2/", "***", false},
	{"nats://x/hunter2@robot", "***", false},
	{"nats://robot/hunter2", "***", false},
	{"bob:hunter2@robot:4222", "***", false},
	{"http://robot:4222", "***", false},
	{"robot:4222", "***", false},
	{"nats://", "***", false},
	{"nats://a:1,", "***", false},
	{"nats://robot:70000", "***", false},
	{"", "***", false},
}

func TestBusURL(t *testing.T) {
	for _, tt := range busURLs {
		err := access.CheckBusURL(tt.text)
		if (err == nil) != tt.good {
			t.Errorf("%s: %v", tt.text, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "/ as %2F")) {
			t.Errorf("%s: the error is %v", tt.text, err)
		}
		if got := access.RedactURL(tt.text); got != tt.shown {
			t.Errorf("%s is shown as %s, want %s", tt.text, got, tt.shown)
		}
	}
}

// texts pairs what somebody wants to print with what may be printed.
var texts = []struct{ in, want string }{
	{"nothing to hide: 3 < 4 & 5 > 4?", "nothing to hide: 3 < 4 & 5 > 4?"},
	{"mail bob@example.org", "mail bob@example.org"},
	{"the page is at http://127.0.0.1:8080/", "the page is at http://127.0.0.1:8080/"},
	{`Get "http://robot:8080/healthz": refused`, `Get "http://robot:8080/healthz": refused`},
	{"see http://robot:8080, or http://[::1]:8080.", "see http://robot:8080, or http://[::1]:8080."},
	{"bus nats://bob:hunter2@robot:4222", "bus nats://***@robot:4222"},
	{"bus nats://bob:hunter2/x@robot:4222 is away", "bus nats://***@robot:4222 is away"},
	{"bus nats://bob:hunter2 y@robot:4222 is away", "bus nats://***@robot:4222 is away"},
	{"first\nrtsp://bob:hunter2@cam/1\nlast", "first\nrtsp://***@cam/1\nlast"},
	{"bus nats://bob:hunter2", "bus nats://***"},
	{`bus "nats://bob:hunter2%zz" is none`, `bus "nats://***" is none`},
	{"turn:bob:hunter2@relay:3478", "turn:***@relay:3478"},
	{"GET /whep/front?token=hunter2&audio=0 failed", "GET /whep/front?token=***&audio=0 failed"},
	{`Post "http://robot:8080/?a=1&Access_Token=hunter2": EOF`, `Post "http://robot:8080/?a=1&Access_Token=***": EOF`},
	{"http://cam/snap?user=a&password=hunter2", "http://cam/snap?user=a&password=***"},
	{"rtmp://a.example/live2/hunter2", "rtmp://a.example/live2/***"},
	{"RTMPS://a.example:443/live2/x/hunter2?a=hunter2 failed", "RTMPS://a.example:443/live2/*** failed"},
	{"rtmp://a.example/live2?hunter2", "rtmp://a.example/live2?***"},
	{"rtmp://bob:hunter2@a.example//hunter2", "rtmp://***@a.example//***"},
	{`dial "rtmp://a.example/live2/hunter2": EOF`, `dial "rtmp://a.example/live2/***": EOF`},
	{"rtmp://a.example/live2/ and rtmp://a.example/live2", "rtmp://a.example/live2/ and rtmp://a.example/live2"},
	{"rtmp://a.example", "rtmp://a.example"},
	{"rtmp://a.example/live2/x@hunter2", "rtmp://***@***"},
	{"srt://a.example:9000?streamid=x@hunter2 is away", "srt://***@*** is away"},
	{"http://cam/snap?mail=a@b.c&token=hunter2@x", "http://***@***"},
	{"nats://bob:hunter2 y://?x@robot", "nats://***@***"},
	{"rtmp://a.example/live2/***", "rtmp://a.example/live2/***"},
	{"srt://a.example:9000?a=b&streamid=hunter2&latency=200", "srt://a.example:9000?a=b&streamid=***&latency=200"},
	{"srt://a.example:9000?passphrase=hunter2&streamKey=hunter2", "srt://a.example:9000?passphrase=***&streamKey=***"},
	{"rtsp://cam/user=bob_password=hunter2_channel=1", "rtsp://cam/user=bob_password=***"},
	{"rtsp://cam/key=hunter2/stream1", "rtsp://cam/key=***"},
	{"rtsp://cam/live/stream1", "rtsp://cam/live/stream1"},
	{"http://cam/snap?usr=a&pwd=hunter2&auth=hunter2&channel=1", "http://cam/snap?usr=a&pwd=***&auth=***&channel=1"},
}

func TestRedactText(t *testing.T) {
	for _, tt := range texts {
		if got := access.RedactText(tt.in); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestRedactAttr(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: access.RedactAttr}))
	_, parse := url.Parse(strings.Join([]string{"nats://bob:hunter2", "zz@robot"}, "%")) // not a valid URL, on purpose
	log.With("with", "nats://hunter2@robot").Error("at nats://hunter2@robot", "error", errors.Join(parse, nil), "nil",
		nil, "number", 7,
		"list", []string{"nats://hunter2@robot"}, "bytes", []byte("abc"), slog.Group("group", "url", "nats://hunter2@robot"))
	text := out.String()
	if strings.Contains(text, "hunter2") || strings.Count(text, "nats://***@robot") != 5 {
		t.Errorf("logged %s", text)
	}
	for _, want := range []string{"level=ERROR", "nil=<nil>", "number=7", `bytes="abc"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

// FuzzRedactURL: the secret of a URL is never shown, whatever it is.
func FuzzRedactURL(f *testing.F) {
	for _, secret := range []string{"plain", "a/b", "a#b", "a?b", "a@b", "a:b", "%zz", "a b", "a,b", "12/b", "[a", "é",
		"\\", "//", "ws://"} {
		f.Add("bob", secret)
		f.Add(secret, "x")
	}
	f.Fuzz(func(t *testing.T, user, password string) {
		const mark = "hunter2"
		for _, text := range []string{
			"nats://" + user + ":" + password + mark + "@robot:4222",
			"nats://" + user + ":" + mark + password + "@robot:4222",
			"nats://" + password + mark + "@robot:4222",
		} {
			if shown := access.RedactURL(text); strings.Contains(shown, mark) {
				t.Fatalf("%q is shown as %q", text, shown)
			}
			if err := access.CheckBusURL(text); err != nil && strings.Contains(err.Error(), mark) {
				t.Fatalf("%q: %v", text, err)
			}
			if strings.ContainsAny(text, "\n") {
				continue
			}
			if shown := access.RedactText("the bus " + text + " is away"); strings.Contains(shown, mark) {
				t.Fatalf("%q is told as %q", text, shown)
			}
		}
	})
}

// FuzzStreamKeys: the stream key of an address is never shown, whatever it is and whatever stands around.
func FuzzStreamKeys(f *testing.F) {
	for _, key := range []string{"", "/", "?", "a/b", "a?b=c", "%zz", "@", "#", "&", ":", "é", "\\"} {
		f.Add("", "live", key)
		f.Add("the address is ", "app/", key)
	}
	f.Fuzz(func(t *testing.T, before, app, key string) {
		const mark = "hunter2"
		if strings.ContainsAny(app+key, " \t\r\n\f\v\"'`<>") || strings.ContainsAny(app, "?@") {
			t.Skip() // where an address ends
		}
		for _, scheme := range []string{"rtmp", "rtmps"} {
			text := before + " " + scheme + "://a.example/" + app + "/" + key + mark + key
			if shown := access.RedactText(text); strings.Contains(shown, mark) {
				t.Fatalf("%q is told as %q", text, shown)
			}
		}
		text := before + " srt://a.example:9000?mode=caller&streamid=" + strings.Trim(key, "&;#") + mark
		if shown := access.RedactText(text); !strings.ContainsAny(key, "&;#") && strings.Contains(shown, mark) {
			t.Fatalf("%q is told as %q", text, shown)
		}
	})
}
