package dial

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

func parse(t *testing.T, url string) address.Address {
	t.Helper()
	a, err := address.Parse(url, "me", "secret")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	right := Fingerprint(server.Certificate())
	tests := map[string]struct {
		pin    string
		reason feed.Reason
		text   string
	}{
		"right":      {strings.ToUpper(right[:2]) + ":" + right[2:], -1, ""},
		"other":      {strings.Repeat("ab", 32), feed.Untrusted, right},
		"not pinned": {"", feed.Untrusted, "write fingerprint: " + right},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := Open(t.Context(), Config{Address: parse(t, server.URL), Fingerprint: test.pin,
				Limit: time.Minute})
			if test.reason == -1 {
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				return
			}
			if err == nil || feed.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestServersThatDoNotAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	url := "https://" + listener.Addr().String()
	if _, err := Open(t.Context(), Config{Address: parse(t, url),
		Limit: 50 * time.Millisecond}); err == nil || feed.ReasonOf(err) != feed.Away {
		t.Errorf("silent: %v", err)
	}
	_ = listener.Close()
	if _, err := Open(t.Context(), Config{Address: parse(t, url)}); err == nil || !strings.Contains(err.Error(),
		"nothing listens") {
		t.Errorf("closed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Config{Address: parse(t, url)}); err == nil {
		t.Error("connected after the end")
	}
}

func TestCheckFingerprint(t *testing.T) {
	for s, ok := range map[string]bool{"": true, strings.Repeat("aB", 32): true, strings.Repeat("ab:", 32): true,
		"ab": false, "password": false} {
		if err := CheckFingerprint(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestKeyOfTheAddress: an error names the key that has the address, and what to write if nobody wrote one.
func TestKeyOfTheAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := parse(t, "http://"+listener.Addr().String())
	_ = listener.Close()
	missing := parse(t, "http://camera.invalid")
	for want, c := range map[string]Config{
		": check the port in url, or":          {Address: at},
		": check the port in onvif, or":        {Address: at, Key: "onvif"},
		": write ptz.onvif: http://127.0.0.1:": {Address: at, Key: "ptz.onvif", Assumed: true},
		"ptz.onvif: ":                          {Address: missing, Key: "ptz.onvif"},
	} {
		_, err := Open(t.Context(), c)
		e, ok := errors.AsType[*feed.Error](err)
		if !ok || !strings.Contains(e.Text, want) || !strings.Contains(want, e.Key) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
