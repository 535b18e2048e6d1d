package rtsp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// oddities are cameras that must play all the same, from the table of known behaviours.
var oddities = []struct {
	name   string
	camera fakecam.Config
	udp    bool
}{
	{name: "OPTIONS is answered with 404", camera: options(404)},
	{name: "OPTIONS is never answered",
		camera: fakecam.Config{Answers: []fakecam.Answer{{Method: "OPTIONS", Silent: true}}, Session: brief}},
	{name: "OPTIONS is answered with 405", camera: options(405)},
	{name: "OPTIONS is answered with 501", camera: options(501)},
	{name: "the camera asks GET_PARAMETER", camera: asking("GET_PARAMETER")},
	{name: "the camera asks SET_PARAMETER", camera: asking("SET_PARAMETER")},
	{name: "the camera asks ANNOUNCE", camera: asking("ANNOUNCE")},
	{name: "the camera asks REDIRECT", camera: asking("REDIRECT")},
	{name: "only GET_PARAMETER keeps alive", camera: keptBy("GET_PARAMETER")},
	{name: "only OPTIONS keeps alive", camera: keptBy("OPTIONS")},
	{name: "Session with a unit", camera: sessionField("%s;timeout=60s")},
	{name: "Session with an empty timeout", camera: sessionField("%s;timeout=")},
	{name: "Session with spaces", camera: sessionField("  %s ; Timeout = 60 ")},
	{name: "MD5", camera: login(`Digest realm="r", nonce="%n"`)},
	{name: "SHA-256 only", camera: login(`Digest realm="r", nonce="%n", algorithm=SHA-256`)},
	{name: "MD5-sess with qop", camera: login(`Digest realm="r", nonce="%n", algorithm=MD5-sess, qop="auth"`)},
	{name: "lower case", camera: login(`digest realm="r", nonce="%n"`)},
	{name: "Basic", camera: login(`Basic realm="r"`)},
	{name: "several challenges",
		camera: login(`Basic realm="r"`, `Digest realm="r", nonce="%n"`, `Digest realm="r", nonce="%n", algorithm=SHA-256`)},
	{name: "the nonce expires at PLAY", camera: expiring("PLAY", true)},
	{name: "the nonce expires at PLAY without stale", camera: expiring("PLAY", false)},
	{name: "the nonce expires at SETUP", camera: expiring("SETUP", false)},
	{name: "only with a User-Agent",
		camera: fakecam.Config{Login: fakecam.Login{User: "bob", Password: "hunter2", UserAgent: true}}},
	{name: "Content-Base without a scheme", camera: contentBase(func(string) string { return "10.0.0.1/x/" })},
	{name: "Content-Base twice", camera: contentBase(func(u string) string { return "rtsp://" + u })},
	{name: "Content-Base is a star", camera: contentBase(func(string) string { return "*" })},
	{name: "Content-Base of another host", camera: contentBase(func(string) string { return "rtsp://192.0.2.1/live/" })},
	{name: "no Content-Base", camera: contentBase(func(string) string { return "" })},
	{name: "broken sections", camera: fakecam.Config{SDP: func(s, _ string) string {
		return s +
			"a=mid:meta-1\r\nm=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:meta\r\n" +
			"m=audio 0 RTP/AVP 104\r\na=rtpmap:104 mpeg4-generic/nonsense\r\nm=audio 0 RTP/AVP 99\r\nm=nonsense\r\n"
	}}},
	{name: "bad base64 in sprop", camera: fakecam.Config{SDP: func(s, _ string) string {
		return strings.ReplaceAll(s, "sprop-parameter-sets=", "sprop-parameter-sets=%%%,")
	}}},
	{name: "line feeds only in SDP",
		camera: fakecam.Config{SDP: func(s, _ string) string { return strings.ReplaceAll(s, "\r", "") }}},
	{name: "no UDP", camera: fakecam.Config{Transport: fakecam.Transport{NoUDP: true}}, udp: true},
	{name: "no TCP", camera: fakecam.Config{Transport: fakecam.Transport{NoTCP: true}}},
	{name: "silent UDP", camera: fakecam.Config{Transport: fakecam.Transport{SilentUDP: true}}, udp: true},
	{name: "other channels", camera: transportField(func(s string) string { return strings.Replace(s, "0-1", "4-5", 1) })},
	{name: "one channel", camera: transportField(func(s string) string { return strings.Replace(s, "0-1", "0", 1) })},
	{name: "no channels", camera: transportField(func(s string) string { return "RTP/AVP/TCP;unicast" })},
	{name: "lower case transport",
		camera: transportField(func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "/TCP", " ")) })},
	{name: "no transport", camera: transportField(func(string) string { return "" })},
	{name: "packets on another channel", camera: fakecam.Config{Transport: fakecam.Transport{
		Field: func(s string) string { return strings.Replace(s, "0-1", "2-3", 1) }, Channel: func(int) int { return 0 },
	}}},
	{name: "packets on a channel nobody announced",
		camera: fakecam.Config{Transport: fakecam.Transport{Channel: func(int) int { return 8 }}}},
	{name: "half a frame", camera: fakecam.Config{Transport: fakecam.Transport{Wire: func() func([]byte) []byte {
		n := 0
		return func(b []byte) []byte {
			if n++; n == 20 {
				return b[:len(b)/2]
			}
			return b
		}
	}}}},
	{name: "wrong CSeq", camera: edited(func(_ *fakecam.Request, r *fakecam.Response) { r.Set("CSeq", "7") })},
	{name: "line feeds only", camera: edited(func(_ *fakecam.Request, r *fakecam.Response) { r.EOL = "\n" })},
	{name: "RTSP/2.0", camera: edited(func(_ *fakecam.Request, r *fakecam.Response) { r.Version = "RTSP/2.0" })},
	{name: "a long field",
		camera: edited(func(_ *fakecam.Request, r *fakecam.Response) { r.Set("X-Long", strings.Repeat("x", 5000)) })},
	{name: "no CSeq", camera: edited(func(_ *fakecam.Request, r *fakecam.Response) { r.Set("CSeq", "") })},
}

// enforced is long enough for a keepalive that is late because the machine is busy.
const enforced = 6 * time.Second

var brief = fakecam.Session{Timeout: time.Second}

func options(status int) fakecam.Config {
	return fakecam.Config{Answers: []fakecam.Answer{{Method: "OPTIONS", Status: status}}, Session: brief}
}

func asking(method string) fakecam.Config {
	return fakecam.Config{Asks: []fakecam.Ask{{Method: method}}}
}

func keptBy(method string) fakecam.Config {
	return fakecam.Config{Session: fakecam.Session{Timeout: enforced, Enforce: true, Keepalive: []string{method}}}
}

func sessionField(form string) fakecam.Config {
	return fakecam.Config{Session: fakecam.Session{Field: func(id string, _ int) string { return fmt.Sprintf(form, id) }}}
}

func login(challenges ...string) fakecam.Config {
	return fakecam.Config{Login: fakecam.Login{User: "bob", Password: "hunter2", Challenges: challenges}}
}

func expiring(method string, stale bool) fakecam.Config {
	return fakecam.Config{Login: fakecam.Login{User: "bob", Password: "hunter2", Expire: []string{method}, Stale: stale}}
}

func contentBase(f func(string) string) fakecam.Config { return fakecam.Config{ContentBase: f} }

func transportField(f func(string) string) fakecam.Config {
	return fakecam.Config{Transport: fakecam.Transport{Field: f}}
}

func edited(f func(*fakecam.Request, *fakecam.Response)) fakecam.Config {
	return fakecam.Config{Answers: []fakecam.Answer{{Edit: f}}}
}

// patience is how long to wait for packets over UDP: as long as it takes, unless none will come.
func patience(camera fakecam.Config) time.Duration {
	if camera.Transport.SilentUDP {
		return 500 * time.Millisecond
	}
	return 30 * time.Second
}

// pictures is how many come in the life of a session, and some more.
func pictures(timeout time.Duration) int { return int(timeout.Seconds() * 1.25 * fakecam.FPS) }

func TestOddCamerasPlay(t *testing.T) {
	for _, tt := range oddities {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			camera := fakecam.Start(t, tt.camera)
			config := configFor(t, camera)
			config.UDP, config.Limits.UDP = tt.udp, patience(tt.camera)
			v := view(t, config)
			for range 10 {
				next(t, v.pictures)
			}
			if tt.camera.Asks != nil {
				await(t, camera, fakecam.Answered, 1)
			}
			for range pictures(tt.camera.Session.Timeout) {
				next(t, v.pictures)
			}
			if err := v.stop(); err != nil {
				t.Error(err)
			}
			if got := camera.Count(fakecam.Refused); got > 0 {
				t.Errorf("%d wrong logins", got)
			}
		})
	}
}
