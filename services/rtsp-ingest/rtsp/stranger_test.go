package rtsp_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

const (
	noAnswer  = "the camera hangs up without an answer: check the port in url, or close other viewers"
	noMessage = "the camera sends bytes that belong to no message: check the port in url"
)

// strangers pairs what is no camera with what is told, the same each time. They hang up after their last word.
var strangers = []struct {
	name  string
	reads bool          // a request before it says anything
	says  func() string // to each connection
	stays bool          // it does not hang up
	want  string
}{
	{"hangs up at once", false, says(""), false, noAnswer},
	{"hangs up when asked", true, says(""), false, noAnswer},
	{"refuses HTTP", true, says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request"), false, noMessage},
	{"refuses HTTP and stays", true, says("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), true, noMessage},
	{"answers HTTP", true, says("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("<p>Hello</p>\n", 9000)), false, noMessage},
	{"greets", false, says("SSH-2.0-OpenSSH_9.2\r\n"), true, noMessage},
	{"one byte", true, says("x"), false, noMessage},
	{"what begins as a frame", true, says("$\x00\xff\xff and no more"), true, noMessage},
	{"a few random bytes", false, random(100), false, noMessage},
	{"many random bytes", true, random(100_000), false, noMessage},
	{"many random bytes at once", false, random(100_000), false, noMessage},
	{"random bytes and silence", true, random(1000), true, noMessage},
}

func says(text string) func() string { return func() string { return text } }

// random says other bytes each time, of a fixed sequence.
func random(n int) func() string {
	source := rand.NewChaCha8([32]byte{1})
	return func() string {
		b := make([]byte, n)
		_, _ = source.Read(b) // never fails
		return string(bytes.ReplaceAll(b, []byte("RTSP/"), nil))
	}
}

// stranger serves one until the test ends.
func stranger(t *testing.T, reads, stays bool, says func() string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			text := says()
			serving.Go(func() {
				defer func() { _ = conn.Close() }() // it has said everything
				if reads {
					_, _ = bufio.NewReader(conn).ReadString('\n') // whatever it is
				}
				_, _ = io.WriteString(conn, text) // we may have hung up
				if stays {
					_, _ = io.Copy(io.Discard, conn) // until we hang up
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // then Accept fails
		serving.Wait()
	})
	return "rtsp://" + l.Addr().String() + "/stream1"
}

// TestStrangers: a URL that leads to something else than a camera is told as that.
func TestStrangers(t *testing.T) {
	for _, tt := range strangers {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := address.Parse(stranger(t, tt.reads, tt.stays, tt.says), "", "")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				_, err := rtsp.Open(soon(t), rtsp.Config{Address: a, Limits: rtsp.Limits{Answer: time.Second}})
				e, ok := errors.AsType[*feed.Error](err)
				if !ok || e.Reason != feed.Away || e.Key != "url" || e.Text != tt.want {
					t.Fatalf("%#v: %v, want %s", e, err, tt.want)
				}
			}
		})
	}
}
