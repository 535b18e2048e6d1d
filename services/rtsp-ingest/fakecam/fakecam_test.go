package fakecam_test

import (
	"context"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what takes a moment on a busy machine.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// viewer is gortsplib's client on a camera.
type viewer struct {
	*gortsplib.Client
	packets chan *rtp.Packet // of all tracks
	desc    *description.Session
}

// view plays everything that a camera offers.
func view(t *testing.T, url string, protocol gortsplib.Protocol) (*viewer, error) {
	t.Helper()
	u, err := base.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	v := &viewer{packets: make(chan *rtp.Packet, 4096)}
	v.Client = &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &protocol,
		OnPacketsLost: func(uint64) {}, OnDecodeError: func(error) {}, OnTransportSwitch: func(error) {}}
	if err := v.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if v.desc, _, err = v.Describe(u); err != nil {
		return nil, err
	}
	if err := v.SetupAll(v.desc.BaseURL, v.desc.Medias); err != nil {
		return nil, err
	}
	v.OnPacketRTPAny(func(_ *description.Media, _ format.Format, p *rtp.Packet) {
		select {
		case v.packets <- p:
		default: // the test has seen enough
		}
	})
	_, err = v.Play(nil)
	return v, err
}

func mustView(t *testing.T, url string, protocol gortsplib.Protocol) *viewer {
	t.Helper()
	v, err := view(t, url, protocol)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// packet returns the next packet of a viewer.
func (v *viewer) packet(t *testing.T) *rtp.Packet {
	t.Helper()
	select {
	case p := <-v.packets:
		return p
	case <-soon(t).Done():
		t.Fatal("no packet came")
		return nil
	}
}

func TestPlays(t *testing.T) {
	for _, test := range []struct {
		name     string
		protocol gortsplib.Protocol
	}{
		{"TCP", gortsplib.ProtocolTCP},
		{"UDP", gortsplib.ProtocolUDP},
	} {
		t.Run(test.name, func(t *testing.T) {
			camera := fakecam.Start(t, fakecam.Config{})
			v := mustView(t, camera.URL(), test.protocol)
			if got := camera.Sessions(); len(got) != 1 || got[0].Lower != test.name || !got[0].Alive {
				t.Errorf("sessions: %+v", got)
			}
			var f *format.H264
			if v.desc.FindFormat(&f) == nil {
				t.Fatal("no H.264 is described")
			}
			decoder, err := f.CreateDecoder()
			if err != nil {
				t.Fatal(err)
			}
			first, pictures := v.packet(t), 0
			for p := first; pictures < 30; p = v.packet(t) {
				if nals, err := decoder.Decode(p); err == nil && len(nals) > 0 {
					if want := first.Timestamp + uint32(pictures)*3600; p.Timestamp != want {
						t.Fatalf("picture %d is at %d, want %d", pictures, p.Timestamp, want)
					}
					pictures++
				}
			}
			v.Close()
			if err := camera.Await(soon(t), fakecam.TornDown, 1); err != nil {
				t.Error(err)
			}
			if got := camera.Sessions(); len(got) != 0 {
				t.Errorf("sessions after TEARDOWN: %+v", got)
			}
		})
	}
}

func TestKillAndRestart(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{Session: fakecam.Session{Linger: time.Hour}})
	v := mustView(t, camera.URL(), gortsplib.ProtocolTCP)
	v.packet(t)
	camera.Kill()
	if err := v.Wait(); err == nil {
		t.Error("the viewer did not notice that the camera was killed")
	}
	if _, err := view(t, camera.URL(), gortsplib.ProtocolTCP); err == nil {
		t.Error("a killed camera was described")
	}
	if err := camera.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := camera.Sessions(); len(got) != 0 {
		t.Errorf("sessions after a restart: %+v", got)
	}
	mustView(t, camera.URL(), gortsplib.ProtocolTCP).packet(t)
}

func TestLoginIsNeeded(t *testing.T) {
	for _, challenge := range []string{
		`Digest realm="fake", nonce="%n"`,
		`Digest realm="fake", nonce="%n", algorithm=SHA-256`,
		`Basic realm="fake"`,
	} {
		t.Run(challenge, func(t *testing.T) {
			camera := fakecam.Start(t, fakecam.Config{
				Login: fakecam.Login{User: "ann", Password: "a@b", Challenges: []string{challenge}},
			})
			if _, err := view(t, camera.URL(), gortsplib.ProtocolTCP); err == nil {
				t.Error("a viewer without password may watch")
			}
			if n := camera.Count(fakecam.Refused); n != 0 {
				t.Errorf("%d logins refused, but there were none", n)
			}
			mustView(t, camera.LoginURL(), gortsplib.ProtocolTCP).packet(t)
			if n := camera.Count(fakecam.LoggedIn); n == 0 {
				t.Error("nobody logged in")
			}
		})
	}
}
