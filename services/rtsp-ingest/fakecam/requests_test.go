package fakecam_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// behaving starts a camera with a behaviour, changed by what follows.
func behaving(t *testing.T, name string, changes ...func(*fakecam.Config)) *fakecam.Camera {
	t.Helper()
	b, ok := fakecam.BehaviourNamed(name)
	if !ok {
		t.Fatalf("there is no behaviour %q", name)
	}
	for _, change := range changes {
		change(&b.Config)
	}
	return fakecam.Start(t, b.Config)
}

func await(t *testing.T, camera *fakecam.Camera, k fakecam.Kind, n int) {
	t.Helper()
	if err := camera.Await(soon(t), k, n); err != nil {
		t.Error(err)
	}
}

func answers(t *testing.T, got string, status int) {
	t.Helper()
	if !strings.HasPrefix(got, fmt.Sprintf("RTSP/1.0 %d ", status)) {
		t.Errorf("answered %q, want %d", got, status)
	}
}

func TestSilentAndSlow(t *testing.T) {
	t.Run("options-silent", func(t *testing.T) {
		c := dial(t, behaving(t, "options-silent"))
		c.send("OPTIONS", c.camera.URL())
		c.send("GET_PARAMETER", c.camera.URL())
		for c.answers["any"] == "" && c.read("any") {
		}
		if !strings.Contains(c.answers["any"], "CSeq: 2") {
			t.Errorf("OPTIONS was answered: %q", c.answers["any"])
		}
	})
	t.Run("slow-describe", func(t *testing.T) {
		c := dial(t, behaving(t, "slow-describe"))
		start := time.Now()
		answers(t, c.do("DESCRIBE", c.camera.URL()), 200)
		if took := time.Since(start); took < 4*time.Second {
			t.Errorf("DESCRIBE took %v", took)
		}
	})
	t.Run("slow-picture", func(t *testing.T) {
		c := dial(t, behaving(t, "slow-picture"))
		c.play("")
		start := time.Now()
		if !c.until(func(c *client) bool { return len(c.packets) > 0 }) {
			t.Fatal("no picture came")
		}
		if took := time.Since(start); took < 4900*time.Millisecond {
			t.Errorf("the picture came after %v", took)
		}
	})
}

func TestPauseAndHang(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{})
	c := dial(t, camera)
	c.play("")
	camera.Pause()
	id := "Session: " + c.session("PLAY")
	answers(t, c.do("GET_PARAMETER", camera.URL(), id), 200) // what was on its way is now here
	came := c.received
	for range 20 {
		answers(t, c.do("GET_PARAMETER", camera.URL(), id), 200)
	}
	if c.received > came+30 {
		t.Errorf("%d frames of a paused camera", c.received-came)
	}
	camera.Hang()
	c.send("GET_PARAMETER", camera.URL(), id)
	_ = c.nc.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if c.read("hung") && c.answers["hung"] != "" {
		t.Errorf("a hung camera answers %q", c.answers["hung"])
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	camera.Resume()
	sent := camera.Count(fakecam.UnitSent)
	await(t, camera, fakecam.UnitSent, sent+5)
	answers(t, c.do("GET_PARAMETER", camera.URL(), id), 200)
}

// keptAlive plays and sends a request each 100 ms, for 2.5 s or until the connection ends. It returns whether that
// ended, and whether so much time was between two requests that it may.
func keptAlive(t *testing.T, camera *fakecam.Camera, method string, short bool) (ended, stalled bool) {
	t.Helper()
	c := dial(t, camera)
	defer c.nc.Close()
	c.play("")
	id := "Session: " + c.session("PLAY")
	begun, last := time.Now(), time.Now()
	for (!short || time.Since(begun) < 2500*time.Millisecond) && c.read("") {
		if since := time.Since(last); since > 100*time.Millisecond && method != "" {
			c.send(method, camera.URL(), id)
			last = time.Now()
			stalled = stalled || since > time.Second
		}
	}
	return c.ended, stalled || time.Since(last) > time.Second
}

func TestKeepalives(t *testing.T) {
	short := func(c *fakecam.Config) { c.Session.Timeout = 2 * time.Second }
	for _, test := range []struct{ name, keeps, ends string }{
		{"keepalive-get-parameter", "GET_PARAMETER", "OPTIONS"},
		{"keepalive-options", "OPTIONS", "GET_PARAMETER"},
		{"keepalive-often", "OPTIONS", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			camera := behaving(t, test.name, short)
			for _, method := range []string{test.keeps, test.ends} {
				keeps := method == test.keeps
				ended, stalled := keptAlive(t, camera, method, keeps)
				for keeps && ended && stalled { // as a busy machine does
					ended, stalled = keptAlive(t, camera, method, keeps)
				}
				if ended == keeps {
					t.Errorf("after %q each 100 ms, the connection ended: %v", method, ended)
				}
			}
			await(t, camera, fakecam.Expired, 1)
		})
	}
	t.Run("keepalive-hangup", func(t *testing.T) {
		c := dial(t, behaving(t, "keepalive-hangup"))
		c.play("")
		if got := c.do("GET_PARAMETER", c.camera.URL(), "Session: "+c.session("PLAY")); got != "" || !c.ended {
			t.Errorf("GET_PARAMETER was answered: %q", got)
		}
	})
	t.Run("keepalive-unanswered", func(t *testing.T) {
		c := dial(t, behaving(t, "keepalive-unanswered"))
		c.play("")
		c.send("OPTIONS", c.camera.URL(), "Session: "+c.session("PLAY"))
		c.send("PAUSE", c.camera.URL(), "Session: "+c.session("PLAY"))
		for c.answers["any"] == "" && c.read("any") {
		}
		if !strings.Contains(c.answers["any"], fmt.Sprintf("CSeq: %d\r", c.n)) {
			t.Errorf("OPTIONS was answered: %q", c.answers["any"])
		}
	})
	t.Run("keepalive-set-parameter-400", func(t *testing.T) {
		c := dial(t, behaving(t, "keepalive-set-parameter-400"))
		c.play("")
		answers(t, c.do("SET_PARAMETER", c.camera.URL(), "Session: "+c.session("PLAY")), 400)
	})
}

// TestLogins uses gortsplib where it can log in, and answers by hand where it cannot.
func TestLogins(t *testing.T) {
	for _, name := range []string{"login-sha-256", "login-several", "login-basic-first", "login-basic", "password-odd"} {
		t.Run(name, func(t *testing.T) { mustView(t, behaving(t, name).LoginURL(), gortsplib.ProtocolTCP).packet(t) })
	}
	for name, challenge := range map[string]string{"login-nonce-expires": ", stale=TRUE",
		"login-nonce-expires-unsaid": ""} {
		t.Run(name, func(t *testing.T) {
			camera := behaving(t, name)
			if _, err := view(t, camera.LoginURL(), gortsplib.ProtocolTCP); err == nil {
				t.Error("gortsplib took the new nonce: then this camera is not odd any more")
			}
			if n := camera.Count(fakecam.Refused); n != 0 {
				t.Errorf("%d logins count as refused, but only the nonce was old", n)
			}
			c := dial(t, camera)
			basic := "Authorization: Basic YWRtaW46c2VjcmV0"
			c.do("PLAY", camera.URL(), basic)
			if got := strings.Contains(c.answers["PLAY"], "stale"); got != (challenge != "") {
				t.Errorf("stale said: %v", got)
			}
		})
	}
	t.Run("login-nonce-expires-playing", func(t *testing.T) {
		camera := behaving(t, "login-nonce-expires-playing")
		mustView(t, camera.LoginURL(), gortsplib.ProtocolTCP).packet(t)
		c := dial(t, camera)
		answers(t, c.do("GET_PARAMETER", camera.URL(), "Authorization: Digest nonce=x"), 401)
	})
	t.Run("login-user-agent", func(t *testing.T) {
		camera := behaving(t, "login-user-agent", func(c *fakecam.Config) {
			c.Login.Challenges = []string{`Basic realm="fake"`}
		})
		c := dial(t, camera)
		basic := "Authorization: Basic YWRtaW46c2VjcmV0"
		answers(t, c.do("DESCRIBE", camera.URL(), basic), 401)
		answers(t, c.do("DESCRIBE", camera.URL(), basic, "User-Agent: test"), 200)
		answers(t, c.do("DESCRIBE", camera.URL(), "Authorization: Basic YWRtaW46d3Jvbmc=", "User-Agent: test"), 401)
		await(t, camera, fakecam.Refused, 1)
	})
}

func TestUDP(t *testing.T) {
	const wanted = "RTP/AVP;unicast;client_port=40000-40001"
	t.Run("udp-461", func(t *testing.T) {
		c := dial(t, behaving(t, "udp-461"))
		c.play(wanted)
		answers(t, c.answers["SETUP"], 461)
		c.play("")
		answers(t, c.answers["SETUP"], 200)
	})
	t.Run("udp-answered-tcp", func(t *testing.T) {
		c := dial(t, behaving(t, "udp-answered-tcp"))
		c.play(wanted)
		if !strings.Contains(c.answers["SETUP"], "RTP/AVP/TCP") {
			t.Errorf("answered %q", c.answers["SETUP"])
		}
	})
	t.Run("udp-silent", func(t *testing.T) {
		socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		c := dial(t, behaving(t, "udp-silent"))
		port := socket.LocalAddr().(*net.UDPAddr).Port
		c.play(fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1))
		answers(t, c.answers["PLAY"], 200)
		await(t, c.camera, fakecam.UnitSent, 5)
		_ = socket.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, err := socket.Read(make([]byte, 2000)); err == nil {
			t.Errorf("a packet of %d bytes came", n)
		}
	})
}

func TestViewers(t *testing.T) {
	for name, want := range map[string]struct {
		method string
		status int
	}{
		"one-viewer-453": {"SETUP", 453}, "one-viewer-503": {"SETUP", 503},
		"one-viewer-reset": {"SETUP", 0}, "one-viewer-describe": {"DESCRIBE", 453},
	} {
		t.Run(name, func(t *testing.T) {
			camera := behaving(t, name)
			first := mustView(t, camera.URL(), gortsplib.ProtocolTCP)
			first.packet(t)
			second := dial(t, camera)
			second.play("")
			if got := second.answers[want.method]; want.status > 0 {
				answers(t, got, want.status)
			} else if got != "" || !second.ended {
				t.Errorf("answered %q instead of closing", got)
			}
			await(t, camera, fakecam.Full, 1)
			first.Close()
			await(t, camera, fakecam.TornDown, 1)
			mustView(t, camera.URL(), gortsplib.ProtocolTCP).packet(t)
		})
	}
}

func TestDeadSession(t *testing.T) {
	const transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
	for name, adopts := range map[string]bool{"dead-session": false, "dead-session-adopted": true} {
		t.Run(name, func(t *testing.T) {
			camera := behaving(t, name)
			dead := dial(t, camera)
			dead.play("")
			id := "Session: " + dead.session("SETUP")
			dead.nc.Close()
			await(t, camera, fakecam.Lost, 1)
			if got := camera.Sessions(); len(got) != 1 || got[0].Alive || got[0].Playing {
				t.Errorf("sessions: %+v", got)
			}
			c := dial(t, camera)
			answers(t, c.do("SETUP", camera.URL()+"/trackID=0", transport), 503)
			if !adopts {
				answers(t, c.do("SETUP", camera.URL()+"/trackID=0", transport, id), 454)
				return
			}
			answers(t, c.do("SETUP", camera.URL()+"/trackID=0", transport, id), 200)
			answers(t, c.do("PLAY", camera.URL(), id), 200)
			if !c.until(func(c *client) bool { return len(c.packets) > 10 }) {
				t.Error("no packets")
			}
			await(t, camera, fakecam.Adopted, 1)
		})
	}
	t.Run("expires", func(t *testing.T) {
		camera := behaving(t, "dead-session", func(c *fakecam.Config) { c.Session.Linger = time.Nanosecond })
		dead := dial(t, camera)
		dead.play("")
		dead.nc.Close()
		await(t, camera, fakecam.Lost, 1)
		mustView(t, camera.URL(), gortsplib.ProtocolTCP).packet(t)
	})
}

func TestBackChannel(t *testing.T) {
	const require = "Require: www.onvif.org/ver20/backchannel"
	for name, codec := range map[string]string{"backchannel": "PCMU", "backchannel-aac": "MPEG4-GENERIC"} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, behaving(t, name))
			if got := c.do("DESCRIBE", c.camera.URL()); strings.Contains(got, "sendonly") {
				t.Errorf("not asked for, but described: %q", got)
			}
			c.fields = []string{require}
			c.play("")
			if got := c.answers["DESCRIBE"]; !strings.Contains(got, codec) || !strings.Contains(got, "a=sendonly") {
				t.Errorf("described %q", got)
			}
			_, _ = io.WriteString(c.nc, "$\x02\x00\x0d\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff")
			await(t, c.camera, fakecam.Spoken, 1)
		})
	}
	t.Run("backchannel-551", func(t *testing.T) {
		c := dial(t, behaving(t, "backchannel-551"))
		answers(t, c.do("DESCRIBE", c.camera.URL(), require), 551)
		answers(t, c.do("DESCRIBE", c.camera.URL()), 200)
	})
	t.Run("backchannel-range", func(t *testing.T) {
		c := dial(t, behaving(t, "backchannel-range"))
		answers(t, c.do("PLAY", c.camera.URL(), require, "Range: npt=0.000-"), 503)
		answers(t, c.do("PLAY", c.camera.URL(), require), 454)
	})
	t.Run("backchannel-busy", func(t *testing.T) {
		c := dial(t, behaving(t, "backchannel-busy"))
		answers(t, c.do("SETUP", c.camera.URL()+"/trackID=1", "Transport: RTP/AVP/TCP;unicast;interleaved=2-3"), 453)
	})
}

func TestKeyFramesAreAskedFor(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{})
	v := mustView(t, camera.URL(), gortsplib.ProtocolUDP)
	p := v.packet(t)
	pli := &rtcp.PictureLossIndication{MediaSSRC: p.SSRC}
	if err := v.WritePacketRTCP(v.desc.Medias[0], pli); err != nil {
		t.Fatal(err)
	}
	await(t, camera, fakecam.KeyAsked, 1)
}

// A camera sends a key picture when it is asked in the way that it obeys, and not otherwise.
func TestObeys(t *testing.T) {
	pli := func(ssrc uint32) rtcp.Packet { return &rtcp.PictureLossIndication{MediaSSRC: ssrc} }
	fir := func(ssrc uint32) rtcp.Packet {
		return &rtcp.FullIntraRequest{MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc}}}
	}
	for name, test := range map[string]struct{ ignored, obeyed func(uint32) rtcp.Packet }{
		"obeys-pli": {fir, pli},
		"obeys-fir": {pli, fir},
	} {
		t.Run(name, func(t *testing.T) {
			camera := behaving(t, name)
			v := mustView(t, camera.URL(), gortsplib.ProtocolTCP)
			ssrc := v.packet(t).SSRC
			ask := func(with func(uint32) rtcp.Packet, n int) {
				if err := v.WritePacketRTCP(v.desc.Medias[0], with(ssrc)); err != nil {
					t.Fatal(err)
				}
				await(t, camera, fakecam.KeyAsked, n)
			}
			ask(test.ignored, 1)
			await(t, camera, fakecam.UnitSent, camera.Count(fakecam.UnitSent)+5)
			if n := camera.Count(fakecam.KeySent); n != 1 {
				t.Errorf("%d key pictures, want the first alone", n)
			}
			ask(test.obeyed, 2)
			await(t, camera, fakecam.KeySent, 2)
		})
	}
}

func TestAnswersAreCounted(t *testing.T) {
	camera := behaving(t, "asks-options")
	v := mustView(t, camera.URL(), gortsplib.ProtocolTCP)
	v.packet(t)
	await(t, camera, "answered 200", 1)
}

func TestDrop(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{})
	v := mustView(t, camera.URL(), gortsplib.ProtocolTCP)
	v.packet(t)
	camera.Drop()
	if v.Wait() == nil {
		t.Error("the viewer did not notice")
	}
	mustView(t, camera.URL(), gortsplib.ProtocolTCP).packet(t)
}

func TestNotFound(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{OwnHost: true})
	c := dial(t, camera)
	answers(t, c.do("DESCRIBE", "rtsp://"+camera.Address()+"/other"), 404)
	answers(t, c.do("DESCRIBE", "rtsp://192.0.2.7/live"), 404)
	answers(t, c.do("DESCRIBE", camera.URL()), 200)
	answers(t, c.do("RECORD", camera.URL()), 501)
	answers(t, c.do("PLAY", camera.URL(), "Session: other"), 454)
	if _, err := base.ParseURL(camera.URL()); err != nil {
		t.Error(err)
	}
}
