package rtsp_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial/dialtest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what takes a moment on a busy machine.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// configFor is the configuration of a viewer of a camera.
func configFor(t *testing.T, camera *fakecam.Camera) rtsp.Config {
	t.Helper()
	a, err := address.Parse(camera.LoginURL(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return rtsp.Config{Address: a}
}

// viewer is a running Conn.
type viewer struct {
	*rtsp.Conn
	pictures chan feed.Picture
	sounds   chan feed.Sound
	reports  chan feed.Report
	stop     func() error // returns what Run returned
	ended    chan error
}

// run runs a Conn until the test ends.
func run(t *testing.T, conn *rtsp.Conn) *viewer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v := &viewer{
		Conn: conn, pictures: make(chan feed.Picture, 1024), sounds: make(chan feed.Sound, 1024),
		reports: make(chan feed.Report, 1024),
		ended:   make(chan error, 1),
	}
	go func() {
		v.ended <- conn.Run(ctx, feed.Receiver{
			Picture: func(p feed.Picture) { offer(v.pictures, p) },
			Sound:   func(s feed.Sound) { offer(v.sounds, s) },
			Report:  func(r feed.Report) { offer(v.reports, r) },
		})
	}()
	v.stop = func() error {
		cancel()
		err := <-v.ended
		v.ended <- err
		return err
	}
	t.Cleanup(func() { _ = v.stop() })
	return v
}

// offer drops what the test does not look at any more.
func offer[T any](to chan T, one T) {
	select {
	case to <- one:
	default:
	}
}

func view(t *testing.T, config rtsp.Config) *viewer {
	t.Helper()
	conn, err := rtsp.Open(soon(t), config)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, conn)
}

// next returns what comes next.
func next[T any](t *testing.T, from chan T) (one T) {
	t.Helper()
	select {
	case one = <-from:
	case <-soon(t).Done():
		t.Fatalf("no %T came", one)
	}
	return one
}

func await(t *testing.T, camera *fakecam.Camera, k fakecam.Kind, n int) {
	t.Helper()
	if err := camera.Await(soon(t), k, n); err != nil {
		t.Fatal(err)
	}
}

func TestPlays(t *testing.T) {
	for _, udp := range []bool{false, true} {
		t.Run(fmt.Sprintf("UDP %v", udp), func(t *testing.T) {
			camera := fakecam.Start(t, fakecam.Config{Tracks: []fakecam.Track{
				{Media: fakecam.Clip("baseline.h264")}, {Media: fakecam.Tone(fakecam.PCMU, 8000)},
			}})
			config := configFor(t, camera)
			config.UDP = udp
			v := view(t, config)
			if got := v.Video(); got.MediaType != media.H264 || len(got.ParameterSets) != 2 {
				t.Errorf("the pictures are %+v", got)
			}
			first := next(t, v.pictures)
			for i := range 30 {
				p := next(t, v.pictures)
				if want := first.Time + time.Duration(i+1)*40*time.Millisecond; p.Time != want || p.Damaged || p.Missing {
					t.Fatalf("picture %d: time %s, want %s; damaged %v, missing %v", i, p.Time, want, p.Damaged, p.Missing)
				}
			}
			if s := next(t, v.sounds); s.Track.MediaType != feed.PCMU || s.Track.SampleRate != 8000 || len(s.Data) == 0 {
				t.Errorf("the sound is %+v", s.Track)
			}
			if r := next(t, v.reports); time.Since(r.NTP).Abs() > time.Minute {
				t.Errorf("report: %+v", r)
			}
			if want := map[bool]string{false: "TCP", true: "UDP"}[udp]; v.Attributes()["transport"] != want {
				t.Errorf("attributes: %v", v.Attributes())
			}
			if err := v.stop(); err != nil {
				t.Error(err)
			}
			await(t, camera, fakecam.TornDown, 1)
			if got := camera.Sessions(); len(got) != 0 {
				t.Errorf("sessions after the end: %+v", got)
			}
		})
	}
}

// errs pairs cameras that cannot be seen with what is told.
var errs = []struct {
	name   string
	camera fakecam.Config
	reason feed.Reason
	key    string
	says   string
}{
	{"401", fakecam.Config{Login: fakecam.Login{User: "bob", Password: "hunter2", Challenges: []string{`Token x="%n"`}}},
		feed.Unsupported, "password", "digest or basic"},
	{"403", answer("DESCRIBE", 403), feed.Refused, "user", "forbids"},
	{"404", answer("DESCRIBE", 404), feed.NotFound, "url", "check the path"},
	{"453", answer("SETUP", 453), feed.Full, "url", "no room"},
	{"503", answer("DESCRIBE", 503), feed.Full, "url", "no room"},
	{"500", answer("PLAY", 500), feed.Away, "url", "500 to PLAY"},
	{"hangs up", fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", Hangup: true}}}, feed.Away, "url",
		"closed the connection during DESCRIBE: close other viewers"},
	{"hangs up later", fakecam.Config{Answers: []fakecam.Answer{{Method: "SETUP", Hangup: true}}}, feed.Away, "url",
		"closed the connection during SETUP: close other viewers"},
	{"says nothing", fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", Silent: true}}}, feed.Away, "url",
		"does not answer DESCRIBE in 1s"},
	{"no pictures", described("m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP7/90000\r\n"), feed.Unsupported, "url",
		"only video: VP7: set it to H.264"},
	{"no description", fakecam.Config{SDP: func(string, string) string { return "" }}, feed.Unsupported, "url",
		"offers nothing at this address: check the path"},
	{"only sound", described("m=audio 0 RTP/AVP 8\r\n"), feed.Unsupported, "url",
		"only audio (audio/PCMA): check the path"},
	{"only sound of an unknown codec", described("m=audio 0 RTP/AVP 96\r\na=rtpmap:96 X/8000\r\n"), feed.Unsupported,
		"url", "only audio: X: check the path"},
	{"only data", described("m=application 0 RTP/AVP 96\r\n"), feed.Unsupported, "url",
		"only application: check the path"},
	{"neither TCP nor UDP", fakecam.Config{Transport: fakecam.Transport{NoTCP: true, NoUDP: true}}, feed.Unsupported,
		"url", "neither over TCP nor over UDP (461 to SETUP): allow RTP over TCP"},
}

func answer(method string, status int) fakecam.Config {
	return fakecam.Config{Answers: []fakecam.Answer{{Method: method, Status: status}}}
}

func described(sections string) fakecam.Config {
	return fakecam.Config{SDP: func(string, string) string { return "v=0\r\n" + sections }}
}

func TestErrors(t *testing.T) {
	for _, tt := range errs {
		t.Run(tt.name, func(t *testing.T) {
			camera := fakecam.Start(t, tt.camera)
			config := configFor(t, camera)
			config.Limits.Answer = time.Second
			conn, err := rtsp.Open(soon(t), config)
			if conn != nil || err == nil {
				t.Fatal("it plays")
			}
			e, ok := errors.AsType[*feed.Error](err)
			if !ok || e.Reason != tt.reason || e.Key != tt.key || !strings.Contains(e.Text, tt.says) ||
				strings.Contains(e.Text, "hunter2") {
				t.Errorf("%#v: %v", e, err)
			}
		})
	}
}

func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{Login: fakecam.Login{User: "bob", Password: "hunter2"}})
	config := configFor(t, camera)
	config.Address.Password = "hunter3"
	if _, err := rtsp.Open(soon(t), config); feed.ReasonOf(err) != feed.Refused {
		t.Error(err)
	}
	if got := camera.Count(fakecam.Refused); got != 1 {
		t.Errorf("%d wrong logins", got)
	}
	config.Address.User, config.Address.Password = "", ""
	if _, err := rtsp.Open(soon(t), config); feed.ReasonOf(err) != feed.Refused ||
		!strings.Contains(err.Error(), "wants user and password") {
		t.Error(err)
	}
}

func TestNobodyListens(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{})
	config := configFor(t, camera)
	camera.Kill()
	if _, err := rtsp.Open(soon(t), config); feed.ReasonOf(err) != feed.Unreachable ||
		!strings.Contains(err.Error(), "nothing listens") {
		t.Error(err)
	}
}

// TestASessionIsAdopted: a camera with one place keeps a dead viewer's for an hour.
func TestASessionIsAdopted(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{Session: fakecam.Session{Viewers: 1, Linger: time.Hour, Adopt: true}})
	config := configFor(t, camera)
	config.Directory = t.TempDir()
	config.Limits.Goodbye = time.Nanosecond
	dead := view(t, config)
	next(t, dead.pictures)
	camera.Drop()
	if err := next(t, dead.ended); err == nil {
		t.Error("the end of the connection was not told")
	} else {
		dead.ended <- err
	}
	files, err := filepath.Glob(filepath.Join(config.Directory, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	config.Limits.Goodbye = 0
	heir := view(t, config)
	next(t, heir.pictures)
	await(t, camera, fakecam.Adopted, 1)
	if heir.Attributes()["session"] != "adopted" {
		t.Error(heir.Attributes())
	}
	if err := heir.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(files[0]); !os.IsNotExist(err) {
		t.Errorf("the file is still there after TEARDOWN: %v", err)
	}
}

// TestASessionThatIsGone: the camera has restarted, so the old id means nothing to it.
func TestASessionThatIsGone(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{Session: fakecam.Session{Viewers: 1, Linger: time.Hour, Adopt: true}})
	config := configFor(t, camera)
	config.Directory = t.TempDir()
	v := view(t, config)
	next(t, v.pictures)
	camera.Kill()
	_ = v.stop()
	if err := camera.Restart(); err != nil {
		t.Fatal(err)
	}
	next(t, view(t, config).pictures)
}

func TestAKeyFrameIsAskedFor(t *testing.T) {
	came := map[string]fakecam.Kind{"PLI": fakecam.PLICame, "FIR": fakecam.FIRCame}
	for _, udp := range []bool{false, true} {
		camera := fakecam.Start(t, fakecam.Config{})
		config := configFor(t, camera)
		config.UDP = udp
		v := view(t, config)
		next(t, v.pictures)
		for i, way := range v.KeyFrameWays() {
			if err := way.Ask(t.Context()); err != nil {
				t.Error(err)
			}
			await(t, camera, came[way.Name], 1)
			if n := camera.Count(fakecam.KeyAsked); n != i+1 {
				t.Errorf("%s asks %d times", way.Name, n-i)
			}
		}
	}
}

func TestRedirect(t *testing.T) {
	target := fakecam.Start(t, fakecam.Config{})
	to := func(url string) fakecam.Config {
		return fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE",
			Edit: func(_ *fakecam.Request, r *fakecam.Response) {
				r.Status = 302
				r.Set("Location", url)
			}}}}
	}
	next(t, view(t, configFor(t, fakecam.Start(t, to(target.URL())))).pictures)
	var loop *fakecam.Camera
	loop = fakecam.Start(t, fakecam.Config{Answers: []fakecam.Answer{{Edit: func(_ *fakecam.Request, r *fakecam.Response) {
		r.Status = 301
		r.Set("Location", loop.URL())
	}}}})
	if _, err := rtsp.Open(soon(t), configFor(t, loop)); err == nil ||
		!strings.Contains(err.Error(), "more than 5 times") {
		t.Error(err)
	}
	other := fakecam.Start(t, fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", Hangup: true}}})
	config := configFor(t, fakecam.Start(t, to(other.URL())))
	_, err := rtsp.Open(soon(t), config)
	at, _, _ := strings.Cut(strings.TrimPrefix(other.URL(), "rtsp://"), "/")
	e, ok := errors.AsType[*feed.Error](err)
	if !ok || e.Reason != feed.Away || e.Key != "url" ||
		!strings.Contains(e.Text, "closed the connection during DESCRIBE") ||
		!strings.HasSuffix(e.Text, " (the camera in url sent us on to "+at+")") {
		t.Errorf("%#v: %v", e, err)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", Silent: true}}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = camera.Await(ctx, "DESCRIBE", 1)
		cancel()
	}()
	if _, err := rtsp.Open(ctx, configFor(t, camera)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTheEndOfTheConnectionIsTold(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{})
	v := view(t, configFor(t, camera))
	next(t, v.pictures)
	camera.Drop()
	if err := next(t, v.ended); feed.ReasonOf(err) != feed.Away {
		t.Error(err)
	} else {
		v.ended <- err
	}
}

func TestCloseWithoutRun(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{})
	conn, err := rtsp.Open(soon(t), configFor(t, camera))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	await(t, camera, fakecam.TornDown, 1)
}

// TestFatalKeepalives: a camera that closes the connection over GET_PARAMETER does so once.
func TestFatalKeepalives(t *testing.T) {
	camera := fakecam.Start(t, fakecam.Config{
		Session: fakecam.Session{Timeout: enforced, Enforce: true, Keepalive: []string{"OPTIONS"}},
		Answers: []fakecam.Answer{{Method: "GET_PARAMETER", Hangup: true}},
	})
	config := configFor(t, camera)
	config.Memory = &rtsp.Memory{}
	first := view(t, config)
	if err := next(t, first.ended); err == nil {
		t.Error("the end of the connection was not told")
	} else {
		first.ended <- err
	}
	second := view(t, config)
	for range pictures(enforced) {
		next(t, second.pictures)
	}
	if err := second.stop(); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	certificate := dialtest.Certificate(t)
	camera := fakecam.Start(t, fakecam.Config{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
	config := configFor(t, camera)
	if _, err := rtsp.Open(soon(t), config); feed.ReasonOf(err) != feed.Untrusted {
		t.Error(err)
	}
	config.Fingerprint = fmt.Sprintf("%x", sha256.Sum256(certificate.Certificate[0]))
	next(t, view(t, config).pictures)
	config.Fingerprint = "12"
	if _, err := rtsp.Open(soon(t), config); feed.ReasonOf(err) != feed.Misspelled {
		t.Error(err)
	}
}

// TestAdoptionIsRefused: cameras that know better than to hand a session over.
func TestAdoptionIsRefused(t *testing.T) {
	named := func(r *fakecam.Request, _ int) bool { return r.Header.Get("Session") != "" }
	nth := func(wanted int) func(*fakecam.Request, int) bool {
		return func(_ *fakecam.Request, n int) bool { return n == wanted }
	}
	ended := fakecam.Answer{Method: "TEARDOWN", Status: 200}
	for _, tt := range []struct {
		name   string
		camera fakecam.Config
		reason feed.Reason
		plays  bool
	}{
		{"400", fakecam.Config{Answers: []fakecam.Answer{{Method: "SETUP", When: named, Status: 400}}}, 0, true},
		{"454", fakecam.Config{Answers: []fakecam.Answer{{Method: "SETUP", When: named, Status: 454}}}, 0, true},
		{"459", fakecam.Config{Answers: []fakecam.Answer{{Method: "SETUP", When: named, Status: 459}}}, 0, true},
		{"404", fakecam.Config{Answers: []fakecam.Answer{{Method: "SETUP", When: named, Status: 404}}}, 0, true},
		{"hangs up", fakecam.Config{Answers: []fakecam.Answer{{Method: "SETUP", When: named, Hangup: true}}}, 0, true},
		{"no room before TEARDOWN", fakecam.Config{Answers: []fakecam.Answer{
			{Method: "SETUP", When: nth(2), Status: 454}, {Method: "SETUP", When: nth(3), Status: 453}, ended,
		}}, 0, true},
		{"no description before TEARDOWN",
			fakecam.Config{Answers: []fakecam.Answer{{Method: "DESCRIBE", When: nth(2), Status: 503}, ended}}, 0, true},
		{"no room", fakecam.Config{Session: fakecam.Session{Viewers: 1, Linger: time.Hour}}, feed.Full, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			camera := fakecam.Start(t, tt.camera)
			config := configFor(t, camera)
			config.Directory, config.Limits.Goodbye = t.TempDir(), time.Nanosecond
			dead := view(t, config)
			next(t, dead.pictures)
			camera.Drop()
			err := next(t, dead.ended)
			dead.ended <- err
			conn, err := rtsp.Open(soon(t), config)
			switch {
			case tt.plays && err == nil:
				next(t, run(t, conn).pictures)
			case tt.plays || feed.ReasonOf(err) != tt.reason:
				t.Error(err)
			}
		})
	}
}

func ExampleOpen() {
	camera, err := fakecam.New(fakecam.Config{Login: fakecam.Login{User: "bob", Password: "p@ss/word"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer camera.Close()
	a, err := address.Parse(camera.URL(), "bob", "p@ss/word")
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := rtsp.Open(context.Background(), rtsp.Config{Address: a})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pictures := 0
	err = conn.Run(ctx, feed.Receiver{Picture: func(p feed.Picture) {
		if pictures++; pictures == 3 {
			fmt.Println(p.MediaType, conn.Attributes()["transport"])
			cancel()
		}
	}})
	fmt.Println(err)
	// Output:
	// video/H264 TCP
	// <nil>
}
