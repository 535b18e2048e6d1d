package onvif

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long an event may take before a test fails.
const patience = time.Minute

// client asks a fake camera.
func client(t testing.TB, camera *fakecam.ONVIFCamera, user string, password address.Secret) *Client {
	t.Helper()
	at, err := address.Parse(camera.URL(), user, password)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{Address: at, Limit: patience})
	t.Cleanup(c.Close)
	return c
}

var bob = fakecam.Login{User: "bob", Password: "hunter2"}

func bobBy(challenges ...string) fakecam.Login {
	login := bob
	login.Challenges = challenges
	return login
}

const md5, sha256 = `Digest realm="fake", nonce="%n", qop="auth"`, `Digest realm="f", nonce="%n", algorithm=SHA-256`

// oddities of cameras, all of which a client gets along with.
var oddities = map[string]fakecam.ONVIFConfig{
	"the rules are kept":                     {},
	"a token":                                {Login: bob},
	"a token, and a clock that is ahead":     {Login: bob, Clock: 3 * time.Hour},
	"a token, and a clock of 2000":           {Login: bob, Clock: -26 * 365 * 24 * time.Hour},
	"the time is told only after a login":    {Login: bob, ShyClock: true},
	"Digest":                                 {Login: bobBy(md5)},
	"Digest with SHA-256 beside Basic":       {Login: bobBy(`Basic realm="f"`, sha256)},
	"Digest and a token, and another clock":  {Login: bobBy(md5), Both: true, Clock: -time.Hour},
	"no GetServices":                         {Missing: []string{"GetServices"}},
	"no GetCapabilities":                     {Missing: []string{"GetCapabilities"}},
	"URLs with a host that nobody reaches":   {Elsewhere: "0.0.0.0"},
	"URLs with another host and port":        {Elsewhere: "192.0.2.1:81", RTSP: "192.0.2.1:8554"},
	"URLs with an IPv6 address written down": {Elsewhere: "::ffff:192.0.2.1"},
	"signs that are not escaped":             {RawSigns: true},
	"no prefixes":                            {Prefix: "-"},
	"prefixes of its own":                    {Prefix: "SOAP-ENV"},
	"the newer media service too":            {Media2: true, Login: bob},
}

func TestOddities(t *testing.T) {
	for name, config := range oddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			camera := fakecam.StartONVIF(t, config)
			c := client(t, camera, config.Login.User, address.Secret(config.Login.Password))
			i, err := c.Information(t.Context())
			if want := (Information{"Fake", "F-1?", "1.2"}); err != nil || i != want {
				t.Errorf("it is %+v, %v", i, err)
			}
			found, err := c.Profiles(t.Context())
			if err != nil || len(found) != 2 {
				t.Fatalf("%v, %v", found, err)
			}
			want := Profile{Token: "main&1", Name: "Main", Encoding: "H264", Width: 1280, Height: 720, FPS: 25, Group: 50,
				PanTilt: true, Zoom: true}
			if config.Media2 {
				want.Encoding, want.media2 = "H265", true
			}
			if found[0] != want || found[1].PanTilt || found[1].Zoom || found[1].Token != "sub" {
				t.Errorf("%+v\nwanted %+v", found, want)
			}
			checkURLs(t, c, found[0], config)
			for target, want := range map[string]Profile{"/sub": found[1], "/live?channel=1&stream=0": found[0],
				"/other": found[0]} {
				if p, err := c.ProfileOf(t.Context(), target); err != nil || p != want {
					t.Errorf("the profile at %s is %+v, %v", target, p, err)
				}
			}
			if err := c.RequestKeyFrame(t.Context(), found[0]); err != nil || camera.Count(fakecam.KeyAsked) != 1 {
				t.Errorf("a key frame: %v", err)
			}
		})
	}
}

func checkURLs(t *testing.T, c *Client, p Profile, config fakecam.ONVIFConfig) {
	t.Helper()
	stream, err := c.Stream(t.Context(), p)
	if err != nil || stream.Scheme != "rtsp" || stream.Host != "127.0.0.1" ||
		stream.Target != "/live?channel=1&stream=0" ||
		stream.User != config.Login.User || string(stream.Password) != config.Login.Password {
		t.Errorf("stream %q, %v", stream, err)
	}
	if config.RTSP != "" && stream.Port != 8554 {
		t.Errorf("the port of the stream is %d", stream.Port)
	}
	picture, err := c.Snapshot(t.Context(), p)
	if err != nil || picture.Port != c.config.Address.Port || picture.Host != "127.0.0.1" ||
		picture.Target != "/picture?n=1&size=2" {
		t.Errorf("picture %q, %v", picture, err)
	}
}

// TestErrors: each says what is wrong, and never the password.
func TestErrors(t *testing.T) {
	for name, test := range map[string]struct {
		config   fakecam.ONVIFConfig
		password string
		reason   feed.Reason
		says     string
	}{
		"wrong password for a token": {fakecam.ONVIFConfig{Login: bob}, "hunter3", feed.Refused, "check both"},
		"wrong password for Digest":  {fakecam.ONVIFConfig{Login: bobBy(md5)}, "hunter3", feed.Refused, "check both"},
		"no password":                {fakecam.ONVIFConfig{Login: bob}, "", feed.Refused, "user and password"},
		"Basic in the clear": {fakecam.ONVIFConfig{Login: bobBy(`Basic realm="f"`)}, "hunter2", feed.Unsupported,
			"https://"},
		"sent on to somewhere": {fakecam.ONVIFConfig{Redirect: "http://127.0.0.1:1/"}, "", feed.Unsupported,
			"another address"},
		"an answer without end": {fakecam.ONVIFConfig{Padding: maxBody}, "", feed.Unsupported, "longer than"},
		"no media": {fakecam.ONVIFConfig{Missing: []string{"GetServices", "GetCapabilities"}}, "",
			feed.Unsupported, "no GetCapabilities"},
		"no profiles are told": {fakecam.ONVIFConfig{Missing: []string{"GetProfiles"}}, "", feed.Unsupported,
			"ActionNotSupported"},
		"no profiles of any service told": {fakecam.ONVIFConfig{Missing: []string{"GetProfiles"}, Media2: true}, "",
			feed.Unsupported, "ActionNotSupported"},
	} {
		t.Run(name, func(t *testing.T) {
			user := "bob"
			if test.password == "" {
				user = ""
			}
			c := client(t, fakecam.StartONVIF(t, test.config), user, address.Secret(test.password))
			_, err := c.Profiles(t.Context())
			e, ok := errors.AsType[*feed.Error](err)
			if !ok || e.Reason != test.reason || !strings.Contains(e.Text, test.says) || strings.Contains(e.Text, "hunter") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{})
	c := client(t, camera, "", "")
	camera.Close()
	if _, err := c.Profiles(t.Context()); feed.ReasonOf(err) != feed.Unreachable {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Profiles(ctx); err == nil {
		t.Error("it does not end with its context")
	}
}

// TestClockIsSet while the client knows the camera: the next request goes with the new time.
func TestClockIsSet(t *testing.T) {
	camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Login: bob})
	c := client(t, camera, "bob", "hunter2")
	if _, err := c.Profiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	camera.SetClock(time.Hour)
	if _, err := c.Profiles(t.Context()); err != nil {
		t.Error(err)
	}
	if n := camera.Count("GetSystemDateAndTime"); n != 2 {
		t.Errorf("the time was asked for %d times", n)
	}
}

// TestAccountIsNotLocked: a wrong password is tried once for each call.
func TestAccountIsNotLocked(t *testing.T) {
	camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Login: bob})
	c := client(t, camera, "bob", "hunter3")
	_, err := c.Information(t.Context())
	if n := camera.Count(fakecam.Refused); err == nil || n != 1 {
		t.Errorf("refused %d times: %v", n, err)
	}
}

func TestMoves(t *testing.T) {
	camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Login: bob})
	c := client(t, camera, "bob", "hunter2")
	found, err := c.Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := found[0]
	motion := func() Motion {
		m, err := c.Motion(t.Context(), p)
		if err != nil {
			t.Error(err)
		}
		return m
	}
	if m := motion(); m != MotionIdle {
		t.Errorf("at first: %v", m)
	}
	if err := c.Move(t.Context(), p, Velocity{Pan: 0.5, Tilt: -1, Zoom: 0.25}, 0); err != nil {
		t.Fatal(err)
	}
	all := camera.Motions()
	if last := all[len(all)-1]; last.Pan != 0.5 || last.Tilt != -1 || last.Zoom != 0.25 || motion() != MotionMoving {
		t.Errorf("%+v", last)
	}
	if err := c.Stop(t.Context(), p); err != nil || camera.Moves() || motion() != MotionIdle {
		t.Errorf("after the stop: %v", err)
	}
	if err := c.Move(t.Context(), p, Velocity{Pan: 1}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); camera.Moves(); {
		if time.Since(begin) > patience {
			t.Fatal("the time of the movement was not understood")
		}
	}
}

// documents are answers of cameras, and what is not one.
var documents = []string{
	`<Envelope><Body><GetProfilesResponse><Profiles token="a&b"><Name>x</Name></Profiles></GetProfilesResponse></Body>` +
		`</Envelope>`,
	`<s:Envelope xmlns:s="x"><s:Body><s:Fault><faultcode>x:NotAuthorized</faultcode></s:Fault></s:Body></s:Envelope>`,
	`<E><UTCDateTime><Time><Hour>1</Hour><Minute>2</Minute><Second>3</Second></Time><Date>` +
		`<Year>2026</Year><Month>13</Month><Day>1</Day></Date></UTCDateTime></E>`,
	`<a><b></a></b>`, `<a`, ``, `<?xml version="1.0" encoding="latin1"?><a>` + "\xe4\x01" + `&nbsp;</a>`, `</a></b>`,
	`<PTZStatus><MoveStatus><PanTilt>MOVING</PanTilt></MoveStatus></PTZStatus>`,
	strings.Repeat("<a>", 100), `<a b="c" b="d"/>` + strings.Repeat("<x/>", 100),
}

func FuzzAnswer(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	c := New(Config{})
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := c.read(data, 200, operation{name: "GetProfiles"})
		if err == nil && body == nil {
			t.Fatal("neither an answer nor an error")
		}
		if e, ok := errors.AsType[*feed.Error](err); err != nil && (!ok || len(e.Text) > 1000) {
			t.Fatalf("%v", err)
		}
		root, err := parse(data)
		if err != nil {
			return
		}
		for _, media2 := range []bool{false, true} {
			for _, p := range readProfiles(root, media2) {
				if p.Token == "" || p.Width < 0 || p.FPS < 0 || len(p.Name) > maxShown {
					t.Fatalf("%+v", p)
				}
			}
		}
		if at, ok := readTime(root); ok && (at.Year() < 1969 || at.Year() > 3200) {
			t.Fatalf("%v", at)
		}
		readMotion(root, Profile{PanTilt: true})
	})
}

func FuzzURL(f *testing.F) {
	for _, raw := range []string{"rtsp://10.0.0.7:554/a?b=c&d", "http://[::1]:80/x", "rtsp://::ffff:1.2.3.4/x", "rtsp://",
		"x",
		"rtsp://bob:hunter2@10.0.0.7/a", "rtsp://a:99999/x", "RTSP://a:0?x"} {
		f.Add(raw)
	}
	ours, err := address.Parse("http://10.0.0.7:8080", "ann", "secret")
	if err != nil {
		f.Fatal(err)
	}
	c := New(Config{Address: ours})
	f.Fuzz(func(t *testing.T, raw string) {
		at, err := c.here(raw)
		if err == nil && (at.HostPort() != fmt.Sprintf("10.0.0.7:%d", at.Port) || at.Port == 0 || at.User != "ann" ||
			strings.ContainsAny(at.URL(), " \r\n")) {
			t.Fatalf("%q became %q", raw, at.URL())
		}
	})
}
