package rtmp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial/dialtest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// publish says a key, and returns the code of the answer.
func publish(t *testing.T, p *session, key string) (code string) {
	t.Helper()
	if err := p.send(command(1, "connect", amf0.Object{{Key: "app", Value: "live"}}), command(2, "publish", nil,
		key, "live")); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := p.command()
		if err != nil {
			t.Fatalf("%q: %v before it was told", key, err)
		}
		if c.Name == "onStatus" {
			return text(c, 1, "code")
		}
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	for _, key := range []string{"", "secre", "secrets", "Secret", "secret/", "x?secret"} {
		l := listen(t, Limits{})
		p := publisher(t, l)
		if code := publish(t, p, key); code != "NetStream.Publish.BadName" {
			t.Errorf("%q: %s", key, code)
		}
		if _, err := p.command(); err == nil {
			t.Errorf("%q: the connection stays", key)
		}
		if _, err := l.Open(t.Context()); err == nil || !strings.Contains(err.Error(),
			"password: 127.0.0.1 came with a wrong stream key") || feed.ReasonOf(err) != feed.Unreachable {
			t.Error(err)
		}
	}
}

// guessed makes it look as if somebody here had guessed often, so that they wait for seconds.
func guessed(t *testing.T, l *Listener) {
	now, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		l.guesses.Wrong(now, "127.0.0.1:1")
	}
}

// Who guesses keys waits; who knows it does not, and a listener that is closed waits for nobody.
func TestWrongKeyWaits(t *testing.T) {
	took := closedWithGuesser(t)
	for range 4 { // a busy machine gets more chances
		if took >= 3*time.Second {
			took = closedWithGuesser(t)
		}
	}
	if took >= 3*time.Second {
		t.Errorf("closed after %v, as the guess waits", took)
	}
}

// closedWithGuesser returns how long a listener needs for a wrong and a right key and for its end.
func closedWithGuesser(t *testing.T) time.Duration {
	t.Helper()
	l, err := Listen(ListenConfig{Address: "127.0.0.1:0", Key: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	guessed(t, l)
	began := time.Now()
	guesser := publisher(t, l)
	if err := guesser.send(command(1, "publish", nil, "wrong")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "wrong stream key") {
		t.Error(err)
	}
	if code := publish(t, publisher(t, l), "secret"); code != "NetStream.Publish.Start" {
		t.Error(code)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

// A second publisher with the right key takes the place of the first, one without does not.
func TestSecondPublisher(t *testing.T) {
	l := listen(t, Limits{})
	say := obs()[:9]
	if err := publisher(t, l).send(say...); err != nil {
		t.Fatal(err)
	}
	first := open(t, l)
	ended := make(chan error, 1)
	go func() { ended <- first.Run(t.Context(), feed.Receiver{}) }()
	if code := publish(t, publisher(t, l), "no"); code != "NetStream.Publish.BadName" {
		t.Error(code)
	}
	if err := publisher(t, l).send(say...); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "another publisher") {
		t.Error(err)
	}
	second := open(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	if err := second.Run(ctx, feed.Receiver{Picture: func(feed.Picture) { cancel() }}); err != nil {
		t.Error(err)
	}
}

// A publisher that dies without a word keeps nobody from taking its place, and is given up by itself.
func TestPublisherThatGoesSilent(t *testing.T) {
	l := listen(t, Limits{Silence: 100 * time.Millisecond})
	if err := publisher(t, l).send(obs()[:9]...); err != nil {
		t.Fatal(err)
	}
	err := open(t, l).Run(t.Context(), feed.Receiver{})
	if err == nil || !strings.Contains(err.Error(), "nothing has come for 100ms") {
		t.Error(err)
	}
	if err := publisher(t, l).send(obs()[:9]...); err != nil {
		t.Fatal(err)
	}
	_ = open(t, l).Close()
}

// People are told once that a publisher sends no pictures. It stays, and may begin to.
func TestPublisherWithoutPictures(t *testing.T) {
	l := listen(t, Limits{Blind: time.Millisecond, Picture: time.Millisecond})
	p := publisher(t, l)
	if code := publish(t, p, "secret"); code != "NetStream.Publish.Start" {
		t.Fatal(code)
	}
	sound := &message.Audio{ChunkStreamID: 4, MessageStreamID: media1, Codec: message.CodecPCMU, AU: []byte{1}}
	ended := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(ended)
		for p.send(sound) == nil {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	_, err := l.Open(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a publisher is there, but has sent no pictures") {
		t.Error(err)
	}
	close(stop)
	<-ended
	if err := p.send(obs()[7:9]...); err != nil {
		t.Fatal(err)
	}
	c := open(t, l)
	if got := c.Video().MediaType; got != media.H264 {
		t.Errorf("it sends %q", got)
	}
	_ = c.Close()
}

// People are told once that nobody publishes, and again when the publisher has gone.
func TestNobodyPublishes(t *testing.T) {
	l := listen(t, Limits{Alone: time.Millisecond})
	for range 2 {
		if _, err := l.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody publishes") {
			t.Error(err)
		}
		later, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := l.Open(later); later.Err() == nil {
			t.Errorf("it is told twice: %v", err)
		}
		cancel()
		if err := publisher(t, l).send(obs()[:9]...); err != nil {
			t.Fatal(err)
		}
		_ = open(t, l).Close()
	}
}

// More strangers at once than there is room for are turned away at once; the others stay for as long as they may. One
// host cannot take all the room.
func TestTooManyStrangers(t *testing.T) {
	for _, hosts := range [][]string{{"127.0.0.1"}, {"127.0.0.1", "127.0.0.2", "127.0.0.3"}} {
		l := listen(t, Limits{})
		turned := make(chan struct{}, len(hosts)*(maxOfOne+1))
		for _, host := range hosts {
			from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
			for range maxOfOne + 1 {
				conn, err := from.DialContext(t.Context(), "tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				go func() {
					if _, err := conn.Read(make([]byte, 1)); errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
						turned <- struct{}{}
					}
				}()
			}
		}
		stay := min(len(hosts)*maxOfOne, maxGuests)
		for range len(hosts)*(maxOfOne+1) - stay {
			<-turned
		}
		l.mu.Lock()
		if len(l.guests) != stay {
			t.Errorf("%d guests of %v, want %d", len(l.guests), hosts, stay)
		}
		l.mu.Unlock()
	}
}

// Strangers that say nothing, or nonsense, go; a publisher comes through.
func TestStrangers(t *testing.T) {
	l := listen(t, Limits{Answer: 50 * time.Millisecond})
	for n := range 2 * maxGuests {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, conn); dial.IsTimeout(err) {
			t.Fatal("a stranger stays")
		}
		_ = conn.Close()
	}
	if _, err := l.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "does not speak RTMP: write rtmp://") {
		t.Error(err)
	}
	if code := publish(t, publisher(t, l), "secret"); code != "NetStream.Publish.Start" {
		t.Error(code)
	}
}

// full is a listener of a process that has too many files open.
type full struct {
	net.Listener
	closed chan struct{}
	tries  atomic.Int64
}

func (f *full) Accept() (net.Conn, error) {
	f.tries.Add(1)
	select {
	case <-f.closed:
		return nil, net.ErrClosed
	default:
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
}

func (f *full) Close() error {
	close(f.closed)
	return nil
}

// A process that has too many files open does not spin.
func TestTooManyFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &full{closed: make(chan struct{})}
		l := listenAt(ListenConfig{Limits: Limits{}.filled()}, f)
		time.Sleep(time.Minute) // of the bubble
		if n := f.tries.Load(); n < 50 || n > 80 {
			t.Errorf("%d attempts in a minute, want about one a second", n)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPushByTLS(t *testing.T) {
	l, err := Listen(ListenConfig{Address: "127.0.0.1:0", Key: "secret",
		TLS: &tls.Config{Certificates: []tls.Certificate{dialtest.Certificate(t)}, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	plain, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, _, err := handshake.DoClient(plain, false, false); err == nil {
		t.Error("RTMP without TLS is answered")
	}
	if _, err := l.Open(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "does not speak RTMPS: write rtmps://") {
		t.Error(err)
	}
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := &wire{Conn: conn, silence: time.Minute}
	counted := bytecounter.NewReadWriter(w)
	if _, _, err := handshake.DoClient(counted, false, false); err != nil {
		t.Fatal(err)
	}
	if err := newSession(w, counted).send(obs()[:9]...); err != nil {
		t.Fatal(err)
	}
	c := open(t, l)
	defer c.Close()
	if got := c.Attributes()["transport"]; got != "rtmps, pushed" {
		t.Error(got)
	}
}
