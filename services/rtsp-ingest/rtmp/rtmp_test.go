package rtmp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abema/go-mp4"
	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// avc returns a configuration whose parameter sets differ by n.
func avc(n byte) *mp4.AVCDecoderConfiguration {
	c := &mp4.AVCDecoderConfiguration{
		ConfigurationVersion: 1, Profile: 66, Level: 31, LengthSizeMinusOne: 3, Reserved: 63, Reserved2: 7,
		NumOfSequenceParameterSets: 1, SequenceParameterSets: []mp4.AVCParameterSet{{Length: 2,
			NALUnit: []byte{0x67, n}}},
		NumOfPictureParameterSets: 1, PictureParameterSets: []mp4.AVCParameterSet{{Length: 2, NALUnit: []byte{0x68,
			n}}},
	}
	c.SetType(mp4.BoxTypeAvcC())
	return c
}

func command(id int, name string, arguments ...any) message.Message {
	return &message.CommandAMF0{ChunkStreamID: 3, Name: name, CommandID: id, Arguments: arguments}
}

// obs is what OBS says after the handshake, without waiting for answers.
func obs() []message.Message {
	return []message.Message{
		&message.SetChunkSize{Value: 4096},
		command(1, "connect", amf0.Object{
			{Key: "app", Value: "live"}, {Key: "type", Value: "nonprivate"}, {Key: "flashVer",
				Value: "FMLE/3.0 (compatible; FMSc/1.0)"},
			{Key: "swfUrl", Value: "rtmp://robot/live"}, {Key: "tcUrl", Value: "rtmp://robot/live"},
		}),
		command(2, "releaseStream", nil, "secret"),
		command(3, "FCPublish", nil, "secret"),
		command(4, "createStream", nil),
		command(5, "publish", nil, "secret", "live"),
		&message.DataAMF0{ChunkStreamID: 4, MessageStreamID: media1, Payload: amf0.Data{"@setDataFrame", "onMetaData",
			amf0.ECMAArray{{Key: "width", Value: float64(640)}}}},
		&message.Video{ChunkStreamID: 6, MessageStreamID: media1, Codec: message.CodecH264, IsKeyFrame: true,
			AVCConfig: avc(1)},
		&message.Video{ChunkStreamID: 6, MessageStreamID: media1, Codec: message.CodecH264, IsKeyFrame: true,
			Type: message.VideoTypeAU, AU: []byte{0, 0, 0, 2, 0x65, 1}},
		&message.Video{ChunkStreamID: 6, MessageStreamID: media1, Codec: message.CodecH264, Type: message.VideoTypeAU,
			DTS: 40 * time.Millisecond, AU: []byte{0, 0, 0, 2, 0x41, 2}},
		command(6, "FCUnpublish", nil, "secret"),
		command(7, "deleteStream", nil, float64(1)),
	}
}

func listen(t *testing.T, limits Limits) *Listener {
	t.Helper()
	if limits.Alone == 0 {
		limits.Alone = time.Hour // a publisher comes, sooner or later
	}
	l, err := Listen(ListenConfig{Address: "127.0.0.1:0", Key: "secret", Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// publisher is a connection to l that has shaken hands.
func publisher(t *testing.T, l *Listener) *session {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := &wire{Conn: conn, silence: time.Minute}
	counted := bytecounter.NewReadWriter(w)
	if _, _, err := handshake.DoClient(counted, false, false); err != nil {
		t.Fatal(err)
	}
	return newSession(w, counted)
}

func open(t *testing.T, l *Listener) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := l.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPushByOBS(t *testing.T) {
	l := listen(t, Limits{})
	if err := publisher(t, l).send(obs()...); err != nil {
		t.Fatal(err)
	}
	c := open(t, l)
	if v := c.Video(); v.MediaType != media.H264 || len(v.ParameterSets) != 2 ||
		c.Attributes()["publisher"] != "FMLE/3.0 (compatible; FMSc/1.0)" {
		t.Errorf("%+v %v", v, c.Attributes())
	}
	var got []string
	err := c.Run(t.Context(), feed.Receiver{Picture: func(p feed.Picture) {
		got = append(got, fmt.Sprint(p.Data,
			p.Time))
	}})
	if want := "[[[103 1] [104 1] [101 1]] 0s [[65 2]] 40ms]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
	if err == nil || !strings.Contains(err.Error(), "ended the stream") {
		t.Error(err)
	}
}

func TestServerWithoutVideo(t *testing.T) {
	ours, theirs := net.Pipe()
	ends := [2]*session{}
	for i, end := range []net.Conn{ours, theirs} {
		w := &wire{Conn: end, silence: time.Minute}
		ends[i] = newSession(w, bytecounter.NewReadWriter(w))
	}
	c, p := newConn(ends[0], Limits{Picture: 20 * time.Millisecond}.filled(), nil), ends[1]
	done := make(chan struct{})
	go func() {
		defer close(done)
		sound := &message.Audio{ChunkStreamID: 4, Codec: message.CodecPCMA, AU: []byte{1}}
		for err := error(nil); err == nil; err = p.send(sound) { // until we hang up
		}
	}()
	if err := c.find(t.Context()); feed.ReasonOf(err) != feed.Unsupported {
		t.Error(err)
	}
	_ = c.Close()
	<-done
}

// ffmpeg pushes H.264 and AAC.
func TestPushByFFmpeg(t *testing.T) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed")
	}
	l := listen(t, Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run := exec.CommandContext(ctx, program, "-loglevel", "error", "-re", "-f", "lavfi", "-i",
		"testsrc2=size=160x120:rate=25",
		"-f", "lavfi", "-i", "sine", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25",
		"-c:a", "aac",
		"-f", "flv", "rtmp://"+l.Addr().String()+"/live/secret")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = run.Wait() }() // killed
	defer cancel()
	c := open(t, l)
	until, stop := context.WithCancel(t.Context())
	pictures, sounds := 0, 0
	var before time.Duration
	check := func() {
		if pictures > 30 && sounds > 30 {
			stop()
		}
	}
	err = c.Run(until, feed.Receiver{
		Picture: func(p feed.Picture) {
			if step := p.Time - before; pictures > 0 && step != 40*time.Millisecond {
				t.Errorf("step %v", step)
			}
			before = p.Time
			pictures++
			check()
		},
		Sound: func(s feed.Sound) {
			if s.Track.MediaType != feed.AAC || s.Track.SampleRate != 44100 || len(s.Track.Config) == 0 {
				t.Errorf("%+v", s.Track)
			}
			sounds++
			check()
		},
	})
	if err != nil {
		t.Error(err)
	}
}

// serve runs a server of gortmplib, and publishes what OBS does to who plays.
func serve(t *testing.T, login bool, says []message.Message) (host string, asked *atomic.Pointer[url.URL]) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Pointer[url.URL]{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			play(conn, login, says, asked)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String(), asked
}

func play(conn net.Conn, login bool, says []message.Message, asked *atomic.Pointer[url.URL]) {
	s := &gortmplib.ServerConn{RW: conn}
	if s.Initialize() != nil || login && s.CheckCredentials("me", "it") != nil || s.Accept() != nil {
		return
	}
	asked.Store(s.URL)
	for _, m := range says {
		if s.Write(m) != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, conn)
}

func parse(t *testing.T, url, user string, password address.Secret) Config {
	t.Helper()
	a, err := address.Parse(url, user, password)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Address: a}
}

func TestPull(t *testing.T) {
	for _, login := range []bool{false, true} {
		for _, path := range []string{"/live/cam?token=1", "/cam"} {
			host, asked := serve(t, login, obs()[7:10])
			config := parse(t, "rtmp://"+host+path, "", "")
			if login {
				config = parse(t, "rtmp://"+host+path, "me", "it")
			}
			c, err := Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			err = c.Run(ctx, feed.Receiver{Picture: func(feed.Picture) {
				if n++; n == 2 {
					cancel()
				}
			}})
			if got := asked.Load(); err != nil || n != 2 || !strings.HasSuffix(got.String(), path) {
				t.Errorf("%d pictures of %v, %v", n, got, err)
			}
		}
	}
}

// old plays to those who do not say which codecs they know, and does not answer the others, as go2rtc 1.9.14. It tells
// of each connect.
func old(conn net.Conn, asked chan<- bool) {
	counted := bytecounter.NewReadWriter(conn)
	if _, _, err := handshake.DoServer(counted, false); err != nil {
		return
	}
	s := newSession(&wire{Conn: conn, silence: time.Minute}, counted)
	for {
		c, err := s.command()
		if err != nil {
			return
		}
		switch _, list := object(c, 0).Get("fourCcList"); {
		case c.Name == "connect":
			asked <- list
			if !list {
				err = s.send(result(c, nil, amf0.Object{}))
			}
		case c.Name == "createStream":
			err = s.send(result(c, nil, float64(1)))
		case c.Name == "play":
			err = s.send(obs()[7:10]...)
		}
		if err != nil {
			return
		}
	}
}

func TestPullFromServersThatDoNotKnowLists(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	asked := make(chan bool, 8)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			old(conn, asked)
			_ = conn.Close()
		}
	}()
	config := parse(t, "rtmp://"+listener.Addr().String()+"/cam", "", "")
	config.Limits.Codecs, config.Memory = 50*time.Millisecond, &Memory{}
	for _, want := range [][]bool{{true, false}, {false}} { // the second time it is known
		c, err := Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		for _, list := range want {
			if got := <-asked; got != list {
				t.Errorf("codecs were said: %v, want %v", got, list)
			}
		}
	}
}

func TestPullRefused(t *testing.T) {
	host, _ := serve(t, true, nil)
	for user, want := range map[string]string{"": "asks for user", "me": "refuses user and password"} {
		_, err := Open(t.Context(), parse(t, "rtmp://"+host+"/live/cam", user, "wrong-password"))
		if feed.ReasonOf(err) != feed.Refused || !strings.Contains(err.Error(),
			want) || strings.Contains(err.Error(), "wrong-password") {
			t.Errorf("%q: %v", user, err)
		}
	}
	none := command(0, "onStatus", nil, amf0.Object{{Key: "level", Value: "error"}, {Key: "code",
		Value: "NetStream.Play.StreamNotFound"}})
	host, _ = serve(t, false, []message.Message{none})
	if _, err := Open(t.Context(), parse(t, "rtmp://"+host+"/live/cam", "", "")); feed.ReasonOf(err) != feed.NotFound {
		t.Error(err)
	}
}

func TestPullFromServersThatAreNone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	config := parse(t, "rtmp://"+listener.Addr().String()+"/live/cam", "", "")
	config.Limits.Answer = 20 * time.Millisecond
	if _, err := Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "does not answer in 20ms") {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for target, want := range map[string]string{
		"": "|", "/live": "live|", "/live/cam": "live|cam", "/a/b/c?x=/y": "a/b|c?x=/y", "/cam?x=1": "cam?x=1|",
	} {
		if app, name := names(target); app+"|"+name != want {
			t.Errorf("%s: %s|%s", target, app, name)
		}
	}
}
